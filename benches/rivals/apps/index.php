<?php
// PHP forgets everything between two requests, so the process's id is kept beside the script.
$last = __DIR__ . "/last-pid";
$pid = (string) getmypid();
header("App-Start: " . (@file_get_contents($last) === $pid ? "warm" : "cold"));
file_put_contents($last, $pid);
header("Content-Type: text/plain");
echo "hello, world\n";
