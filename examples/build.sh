#!/bin/sh
# Builds the examples that are Rust programs into their bin directories. Quick if nothing changed.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
target=${CARGO_TARGET_DIR:-$here/../target/examples}

if ! command -v cargo >/dev/null; then
    echo "build.sh: cargo is missing; see https://rustup.rs" >&2
    exit 1
fi

# build DIRECTORY PROGRAM
build() {
    # From within the directory: only there does cargo find its .cargo/config.toml.
    if ! (cd "$here/$1" && cargo build --quiet --release --locked --target-dir "$target"); then
        echo "build.sh: $1 could not be built" >&2
        exit 1
    fi
    mkdir -p "$here/$1/bin"
    # Instances may be running the old program, so it is replaced, not overwritten.
    if ! cmp -s "$target/release/$2" "$here/$1/bin/$2"; then
        cp "$target/release/$2" "$here/$1/bin/$2.new"
        mv "$here/$1/bin/$2.new" "$here/$1/bin/$2"
        echo "built $1/bin/$2"
    fi
}

build hello-rust hello
build thumbnail thumbnail
