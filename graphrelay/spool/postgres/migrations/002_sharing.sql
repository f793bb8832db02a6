-- What relays share besides mail. Moments are microseconds since 1970 by the clock of the database.

-- Authorizations, sealed with a key that only the relays have. The version grows with each change.
CREATE TABLE secrets (
    service text COLLATE "C" NOT NULL,
    name    text COLLATE "C" NOT NULL,
    version bigint NOT NULL,
    octets  bytea NOT NULL,
    PRIMARY KEY (service, name)
);
-- A version is given only once, so that one that was deleted and put again is another one.
CREATE SEQUENCE secret_versions;

-- Which relay is renewing a secret, and until when at most.
CREATE TABLE turns (
    service text COLLATE "C" NOT NULL,
    name    text COLLATE "C" NOT NULL,
    process text COLLATE "C" NOT NULL,
    until   bigint NOT NULL,
    PRIMARY KEY (service, name)
);

-- What the owner of a lane says about it, for people who ask another relay. Nothing is sent by it.
CREATE TABLE lane_notes (
    account  text COLLATE "C" NOT NULL,
    mailbox  text COLLATE "C" NOT NULL,
    relay    text COLLATE "C" NOT NULL,
    note     text NOT NULL,              -- JSON
    wakes_at bigint,                     -- when a paused lane tries again
    PRIMARY KEY (account, mailbox, relay)
);

-- How often people asked to try the mail of a lane at once.
ALTER TABLE lanes ADD COLUMN probes bigint NOT NULL DEFAULT 0;

-- Alerts about the common queue that were sent and are not over, and the last relay that saw why.
CREATE TABLE alerts (
    kind    text COLLATE "C" NOT NULL,
    subject text COLLATE "C" NOT NULL,
    relay   text COLLATE "C" NOT NULL,
    sent_at bigint NOT NULL,
    PRIMARY KEY (kind, subject)
);
