// What postal-mime, a parser that shares no code with the relay, reads of each message. Paths come
// in by lines of standard input; a line of JSON goes out for each.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

const require = createRequire(`${process.argv[2]}/`);
const { default: PostalMime } = await import(pathToFileURL(require.resolve('postal-mime')));

// Files by LF, without empty lines at their end.
const evened = (octets) =>
  Buffer.from(octets.toString('latin1').replace(/\r\n/g, '\n').replace(/\n+$/, ''), 'latin1');

for await (const path of createInterface({ input: process.stdin })) {
  let read = null;
  try {
    const parser = new PostalMime({ forceRfc822Attachments: true, attachmentEncoding: 'arraybuffer' });
    const mail = await parser.parse(readFileSync(path));
    read = {
      subject: mail.subject ?? '',
      name: mail.from?.name ?? '',
      text: mail.text ?? '',
      html: mail.html ?? '',
      files: mail.attachments.map((one) => ({
        name: one.filename ?? '',
        type: one.mimeType ?? '',
        contentId: (one.contentId ?? '').replace(/^<|>$/g, ''),
        sha256: createHash('sha256').update(evened(Buffer.from(one.content))).digest('hex'),
      })),
    };
  } catch (error) {
    read = { error: String(error) };
  }
  process.stdout.write(`${JSON.stringify(read)}\n`);
}
