CREATE TABLE state (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    generation INTEGER NOT NULL
) STRICT;
INSERT INTO state VALUES (1, 1);

-- Outlives the functions: a number is never given twice.
CREATE TABLE numbers (
    function TEXT PRIMARY KEY,
    latest INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE functions (
    name TEXT PRIMARY KEY,
    created_ms INTEGER NOT NULL,
    latest INTEGER NOT NULL,
    settings TEXT NOT NULL,
    traffic TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE revisions (
    function TEXT NOT NULL REFERENCES functions (name) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    digest TEXT NOT NULL,
    kind TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    settings TEXT NOT NULL,
    manifest TEXT NOT NULL,
    message TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    routed_ms INTEGER,
    collected_ms INTEGER,
    PRIMARY KEY (function, number)
) STRICT;
CREATE INDEX revisions_by_digest ON revisions (digest) WHERE collected_ms IS NULL;

CREATE TABLE aliases (
    function TEXT NOT NULL REFERENCES functions (name) ON DELETE CASCADE,
    alias TEXT NOT NULL,
    revision INTEGER NOT NULL,
    PRIMARY KEY (function, alias)
) STRICT, WITHOUT ROWID;

CREATE TABLE secrets (
    function TEXT NOT NULL REFERENCES functions (name) ON DELETE CASCADE,
    key TEXT NOT NULL,
    place TEXT NOT NULL,
    version INTEGER NOT NULL,
    updated_ms INTEGER NOT NULL,
    updated_by TEXT NOT NULL,
    sealed BLOB NOT NULL,
    PRIMARY KEY (function, key)
) STRICT;

CREATE TABLE canaries (
    function TEXT PRIMARY KEY REFERENCES functions (name) ON DELETE CASCADE,
    state TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE audit (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ms INTEGER NOT NULL,
    who TEXT NOT NULL,
    role TEXT NOT NULL,
    method TEXT NOT NULL,
    path TEXT NOT NULL,
    status INTEGER NOT NULL,
    what TEXT NOT NULL
) STRICT;
