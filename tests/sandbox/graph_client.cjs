// Microsoft's own Graph client, with Microsoft's own tokens, sends one message at once and one as a draft.
// argv: folder of node_modules, tenant, client id; the secret and the URLs are in the environment.

const { createRequire } = require("node:module");
const [, , modules, tenant, clientId] = process.argv;
const from = createRequire(`${modules}/`);

const { ClientSecretCredential } = from("@azure/identity");
const graph = from("@microsoft/microsoft-graph-client");
const provider = from(
  "@microsoft/microsoft-graph-client/authProviders/azureTokenCredentials",
);

const { LOGIN_URL, GRAPH_URL, CLIENT_SECRET, MAILBOX, RECIPIENT } = process.env;

const credential = new ClientSecretCredential(tenant, clientId, CLIENT_SECRET, {
  authorityHost: LOGIN_URL,
  disableInstanceDiscovery: true,
});
const client = graph.Client.initWithMiddleware({
  baseUrl: GRAPH_URL,
  customHosts: new Set([new URL(GRAPH_URL).hostname]),
  authProvider: new provider.TokenCredentialAuthenticationProvider(credential, {
    scopes: ["https://graph.microsoft.com/.default"],
  }),
});

function message(subject) {
  return {
    subject,
    body: { contentType: "HTML", content: "<p>Grüße</p>" },
    toRecipients: [{ emailAddress: { address: RECIPIENT } }],
  };
}

async function send() {
  await client.api(`/users/${MAILBOX}/sendMail`).post({ message: message("sent at once") });
}

async function sendDraft() {
  const draft = await client.api(`/users/${MAILBOX}/messages`).post(message("sent as a draft"));
  await client.api(`/users/${MAILBOX}/messages/${draft.id}/attachments`).post({
    "@odata.type": "#microsoft.graph.fileAttachment",
    name: "hello.txt",
    contentBytes: Buffer.from("Hello").toString("base64"),
  });
  await client.api(`/users/${MAILBOX}/messages/${draft.id}/send`).post(null);
}

send()
  .then(sendDraft)
  .catch((error) => {
    console.error(error);
    process.exitCode = 1;
  });
