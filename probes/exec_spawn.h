// How an `exec` probe's command is started: its words, its surroundings, and the start itself,
// which is aside (probes/aside.h).
#pragma once

#include "probes/aside.h"
#include "probes/conf.h"

#include <sys/types.h>

#define EXEC_WORDS_MAX   64
#define EXEC_COMMAND_MAX 2048 // bytes of all words
#define EXEC_MAGIC_MAX   64   // bytes shown of a script's #! line

struct exec_options {
    struct exec_command {
        size_t count, length;
        char text[EXEC_COMMAND_MAX]; // the words, each NUL-terminated
    } command;
    bool shell;
};

struct argv {
    char *words[EXEC_WORDS_MAX + 1];
    char text[EXEC_COMMAND_MAX];
};

enum { VARIABLES = 5, VARIABLE_MAX = 1024 };

struct environment {
    char *variables[VARIABLES + 1];
    char text[VARIABLES][VARIABLE_MAX];
};

// A command that starts.
struct spawning {
    struct aside_work work; // the first
    struct argv argv;
    struct environment environment;
    bool shell;
    int output; // the command's end of its output; closed when it has started, or has not
    // When that is done:
    int error; // number: of fork and of exec alike; 0: none
    pid_t pid;
    bool reaped;                       // see below
    char missing[EXEC_MAGIC_MAX + 64]; // see explain_missing()
};

// For a probe of these options; the command writes to output, which is closed once it has started,
// or has not. NULL when out of memory.
struct spawning *spawning_new(const struct probe_conf *conf, const struct exec_options *options,
                              int output);

// Makes another piece of work of one that is done and has started: the command, which was killed,
// is waited for, however long its end takes, and reaped.
void spawning_reap(struct spawning *spawning);

// Where commands are looked for.
const char *exec_search_path(void);
