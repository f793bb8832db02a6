# Sends standard input with Perl's Net::SMTP: net_smtp.pl HOST PORT SENDER RECIPIENT...
use strict;
use warnings;
use Net::SMTP;

my ($host, $port, $sender, @recipients) = @ARGV;
my $smtp = Net::SMTP->new($host, Port => $port, Timeout => 30) or die "no connection: $@";
my $message = do { local $/; <STDIN> };
$smtp->mail($sender) or die $smtp->message;
my @taken = $smtp->recipient(@recipients, { SkipBad => 1 });
@taken == @recipients or die "taken: @taken";
$smtp->data() or die $smtp->message;
$smtp->datasend($message);
$smtp->dataend() or die $smtp->message;
print $smtp->message;
$smtp->quit;
