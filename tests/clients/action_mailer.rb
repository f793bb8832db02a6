# Sends the letter that stands as JSON on standard input, with Rails' ActionMailer, set up from
# lines of gitlab.rb as GitLab does it. More words: STARTTLS, and a login.
require "action_mailer"
require "base64"
require "json"

lines, user_name, password, ca_file = ARGV
gitlab_rails = {}
eval lines, binding
smtp = gitlab_rails.filter_map { |key, value| [key.delete_prefix("smtp_").to_sym, value] if key.start_with?("smtp_") }.to_h
smtp.delete(:enable)
smtp.delete(:authentication) unless smtp[:authentication]
smtp.update(user_name:, password:, ca_file:) if user_name
ActionMailer::Base.delivery_method = :smtp
ActionMailer::Base.smtp_settings = smtp

class Notify < ActionMailer::Base
  def letter(of)
    attachments["scan.bin"] = { mime_type: "application/octet-stream", content: Base64.decode64(of["scan"]) } unless of["scan"].empty?
    who = Mail::Address.new(of["from"]).tap { |address| address.display_name = of["name"] }
    mail(from: who.format, to: of["to"], cc: of["cc"], bcc: of["bcc"], subject: of["subject"]) do |format|
      format.text { render plain: of["text"] }
      format.html { render html: of["html"].html_safe } unless of["html"].empty?
    end
  end
end

Notify.letter(JSON.parse($stdin.read)).deliver_now
