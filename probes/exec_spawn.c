// See exec_spawn.h.
#include "probes/exec_spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// ---- The command's words and surroundings

const char *exec_search_path(void)
{
    const char *path = getenv("PATH");
    return path != NULL ? path : DEFAULT_PATH;
}

// For the shell the words are one line again.
static void make_argv(const struct exec_options *options, struct argv *out)
{
    static char shell[] = "/bin/sh", flag[] = "-c";
    const struct exec_command *command = &options->command;
    size_t count = 0;
    memcpy(out->text, command->text, command->length);
    for (size_t at = 0; at < command->length; at += strlen(out->text + at) + 1) {
        out->words[count++] = out->text + at;
    }
    out->words[count] = NULL;
    if (options->shell) {
        for (size_t i = 0; i + 1 < command->length; i++) {
            out->text[i] = out->text[i] ? out->text[i] : ' ';
        }
        memcpy(out->words, (char *[]){shell, flag, out->text, NULL}, 4 * sizeof(char *));
    }
}

// Just these: nothing of ours leaks out, and a plugin speaks a language that the operator reads.
static void make_environment(const struct probe_conf *conf, struct environment *out)
{
    char target[ENDPOINT_TEXT_MAX];
    snprintf(out->text[0], VARIABLE_MAX, "PATH=%s", exec_search_path());
    snprintf(out->text[1], VARIABLE_MAX, "LC_ALL=C.UTF-8");
    snprintf(out->text[2], VARIABLE_MAX, "POPGATE_PROBE=%s", conf->name);
    snprintf(out->text[3], VARIABLE_MAX, "POPGATE_TARGET=%s", endpoint_text(&conf->target, target));
    snprintf(out->text[4], VARIABLE_MAX, "POPGATE_TIMEOUT_MS=%" PRIu64, conf->timeout_ms);
    for (size_t i = 0; i < VARIABLES; i++) {
        out->variables[i] = out->text[i];
    }
    out->variables[VARIABLES] = NULL;
}

static void set_signals(posix_spawnattr_t *attributes)
{
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(attributes, &none);
    posix_spawnattr_setsigdefault(attributes, &all);
    posix_spawnattr_setflags(attributes,
                             POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
}

static int spawn(struct spawning *spawning)
{
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_t actions;
    int error = posix_spawnattr_init(&attributes);
    if (error) {
        return error;
    }
    error = posix_spawn_file_actions_init(&actions);
    if (error) {
        goto err_attributes;
    }
    set_signals(&attributes);
    error = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    error =
        error ? error : posix_spawn_file_actions_adddup2(&actions, spawning->output, STDOUT_FILENO);
    error =
        error ? error : posix_spawn_file_actions_adddup2(&actions, spawning->output, STDERR_FILENO);
    error = error ? error : posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
    error = error ? error
                  : posix_spawnp(&spawning->pid, spawning->argv.words[0], &actions, &attributes,
                                 spawning->argv.words, spawning->environment.variables);
    posix_spawn_file_actions_destroy(&actions);
err_attributes:
    posix_spawnattr_destroy(&attributes);
    return error;
}

// ENOENT for a file that there is means what it is run by. Words for that in missing, else none.
static void explain_missing(struct spawning *spawning)
{
    const char *program = spawning->argv.words[0];
    char line[EXEC_MAGIC_MAX];
    int fd = spawning->shell || program[0] != '/'
                 ? -1
                 : open(program, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        return;
    }
    ssize_t length = read(fd, line, sizeof line - 1);
    close(fd);
    line[length > 0 ? length : 0] = '\0';
    line[strcspn(line, "\n")] = '\0';
    snprintf(spawning->missing, sizeof spawning->missing,
             "; the file is there, but not what it is run by%s%s",
             strncmp(line, "#!", 2) == 0 ? ": " : "", strncmp(line, "#!", 2) == 0 ? line : "");
}

// What keeps popgated alive when memory is short (OOMScoreAdjust=) is not for its children.
static void make_killable(pid_t pid)
{
    char path[48];
    snprintf(path, sizeof path, "/proc/%d/oom_score_adj", (int)pid);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd >= 0) {
        (void)!write(fd, "0", 1);
        close(fd);
    }
}

// Ambient capabilities (AmbientCapabilities=) are each thread's own, and this thread starts nothing
// but the command.
static void spawn_apart(struct aside_work *work)
{
    struct spawning *spawning = (struct spawning *)work;
    (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0L, 0L, 0L);
    spawning->error = spawn(spawning);
    if (spawning->error == 0) {
        make_killable(spawning->pid);
    }
    close(spawning->output);
    if (spawning->error == ENOENT) {
        explain_missing(spawning);
    }
}

// Nobody wants it any more.
static void end_unwanted(struct aside_work *work)
{
    struct spawning *spawning = (struct spawning *)work;
    if (spawning->error == 0) {
        kill(-spawning->pid, SIGKILL);
        waitpid(spawning->pid, NULL, 0);
    }
    free(spawning);
}

static void reap_apart(struct aside_work *work)
{
    struct spawning *spawning = (struct spawning *)work;
    waitpid(spawning->pid, NULL, 0);
    spawning->reaped = true;
}

static void free_reaped(struct aside_work *work)
{
    free(work);
}

void spawning_reap(struct spawning *spawning)
{
    spawning->work = (struct aside_work){.run = reap_apart, .drop = free_reaped};
}

struct spawning *spawning_new(const struct probe_conf *conf, const struct exec_options *options,
                              int output)
{
    struct spawning *spawning = calloc(1, sizeof *spawning);
    if (spawning == NULL) {
        return NULL;
    }
    spawning->work = (struct aside_work){.run = spawn_apart, .drop = end_unwanted};
    make_argv(options, &spawning->argv);
    make_environment(conf, &spawning->environment);
    spawning->shell = options->shell;
    spawning->output = output;
    return spawning;
}
