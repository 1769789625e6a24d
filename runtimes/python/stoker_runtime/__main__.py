"""`python3 .../stoker_runtime/__main__.py MODE`, MODE being serve or parent."""

import os
import sys

# The listening socket, or the parent's socket to the spawner.
DESCRIPTOR = 3


def main():
    """Runs the mode that the command line names; the exit status."""
    # Ours is the directory above this package; the function's own comes first, as for a script.
    runtime = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    if sys.path[:1] == [os.path.join(runtime, "stoker_runtime")]:
        del sys.path[0]
    sys.path.insert(0, os.getcwd())
    sys.path.append(runtime)
    from stoker_runtime.settings import Settings

    mode = sys.argv[1] if len(sys.argv) == 2 else ""
    sys.argv[1:] = []
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            # A line that waits in a buffer reaches the log late or never.
            stream.reconfigure(line_buffering=True)
    if mode == "serve":
        from stoker_runtime.serve import serve

        return serve(Settings(), DESCRIPTOR)
    if mode == "parent":
        from stoker_runtime.parent import Parent

        return Parent(Settings(), DESCRIPTOR).run()
    sys.stderr.write("usage: stoker_runtime serve|parent\n")
    return 2


if __name__ == "__main__":
    sys.exit(main())
