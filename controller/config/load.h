// Reads popgate.conf, strictly: every error of the file is reported in one pass, each as
// "file:line: message".
#pragma once

#include "controller/config/config.h"

#define CONFIG_FILE_MAX (16U << 20) // bytes

// Where errors and warnings go, one whole line at a time: "popgate.conf:12: unknown key
// `intervall`; did you mean `interval`?"
typedef void (*config_report_cb)(void *arg, bool error, const char *line);

// Reads the file at path. NULL when there was any error (all were reported). The caller owns the
// result.
struct config *config_load(const char *path, config_report_cb report, void *arg);

// The same; text is what was read (malloc'd, the caller's), if it was sound, else NULL.
struct config *config_load_text(const char *path, config_report_cb report, void *arg, char **text);

// For the fail-safe, which no mistake in the file may stop: the same, but with errors (all were
// reported) what could be read of it, and the defaults for the rest of [pop] and [bird]. NULL only
// when out of memory.
struct config *config_salvage(const char *path, config_report_cb report, void *arg);

// As config_load() for text in memory; name stands for the file in messages.
struct config *config_parse(const char *name, const char *text, config_report_cb report, void *arg);
