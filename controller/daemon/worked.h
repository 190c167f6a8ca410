// The configuration that worked last, kept in state_dir: what a start uses when the file is broken,
// so that a typo and a crash are no outage.
#pragma once

#include "controller/config/config.h"

#define WORKED_FILE "popgate.conf.worked"

// For a start, when the file at path can't be used: why is the first thing that is wrong with it.
// trouble says what is used instead of it. NULL, and the log says why: there is nothing to use.
struct config *worked_load(const char *path, const char *why, char trouble[ERROR_MAX]);

// Blocking; 0, or -errno with a message. One that is there already is not written again.
int worked_save(const char *state_dir, const char *text, size_t length, char error[ERROR_MAX]);
