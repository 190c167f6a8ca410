// The configuration that worked last, kept in state_dir: what a start uses when the file is broken,
// so that a typo and a crash are no outage.
#pragma once

#include "controller/config/load.h"

#define WORKED_FILE "popgate.conf.worked"

// For a start, when the file at path can't be used: why is the first thing that is wrong with it.
// trouble says what is used instead of it. NULL, and the log says why: there is nothing to use.
struct config *worked_load(const char *path, const char *why, char trouble[ERROR_MAX]);

// For the fail-safe: what popgated uses, and where there is no such thing, what could be read of
// the file. Its errors are reported. NULL only when out of memory.
struct config *worked_or_salvaged(const char *path, config_report_cb report, void *arg);

// Blocking; 0, or -errno with a message. One that is there already is not written again.
int worked_save(const char *state_dir, const char *text, size_t length, char error[ERROR_MAX]);
