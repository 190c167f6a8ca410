// popgated's shell: the core on a libuv loop, with BIRD, probes, files, the API and systemd around
// it.
#pragma once

// Runs until SIGTERM or SIGINT; SIGHUP reloads. Returns the exit status.
int daemon_run(const char *config_path);
