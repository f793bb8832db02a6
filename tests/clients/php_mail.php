<?php // Calls PHP's own mail() with what stands as JSON on standard input.
$letter = json_decode(stream_get_contents(STDIN), true, flags: JSON_THROW_ON_ERROR);
exit(mail($letter['to'], $letter['subject'], $letter['text'], $letter['headers']) ? 0 : 1);
