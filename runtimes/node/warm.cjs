// Imported once, so that the loader of CommonJS modules is ready.
module.exports = { ready: true };
