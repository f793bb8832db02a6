// Sends the letter that stands as JSON on standard input, with nodemailer.
const nodemailer = require(process.argv[2]);
const letter = JSON.parse(require("node:fs").readFileSync(0, "utf8"));
const { host, port, to, cc, bcc, subject, text, html } = letter;
const transport = nodemailer.createTransport({ host, port, secure: false, ignoreTLS: true });
const from = { name: letter.name, address: letter.from };
const scan = { filename: "scan.bin", encoding: "base64", content: letter.scan };
transport
  .sendMail({ from, to, cc, bcc, subject, text, html, attachments: letter.scan ? [scan] : [] })
  .then(() => transport.close());
