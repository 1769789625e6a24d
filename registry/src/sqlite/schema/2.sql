-- Of functions that may not be there yet.
CREATE TABLE pushes (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    function TEXT NOT NULL,
    is_over INTEGER NOT NULL,
    state TEXT NOT NULL
) STRICT;
