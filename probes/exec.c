// The `exec` probe: runs a command and takes its exit status as Nagios plugins say it; the first
// line of its output is the cause.
//
// The command is the leader of a session, so of a process group, of its own. The whole group ends
// with it: when it has exited, or with SIGKILL at the timeout. A pidfd tells of its end, and it is
// reaped only after its group is killed, so that the group's number can be nobody else's by then.
// What holds on to its output keeps nobody waiting. Nothing of ours is open in it.
//
// It is started by a thread of its own: the kernel reads the file meanwhile, which may take for
// ever on a dead file system. The loop waits for that thread as for anything else, and leaves it
// behind when the probe closes.
#include "base/clock.h"
#include "probes/probe.h"
#include "probes/types.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORDS_MAX     64
#define COMMAND_MAX   2048 // bytes of all words
#define READS_MAX     16   // in one turn of the loop
#define MAGIC_MAX     64   // bytes shown of a script's #! line
#define STACK_SIZE    (256 << 10)
#define SLOW_START_NS (100 * NS_PER_MS) // worth a word
#define DEFAULT_PATH  "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

struct exec_options {
    struct exec_command {
        size_t count, length;
        char text[COMMAND_MAX]; // the words, each NUL-terminated
    } command;
    bool shell;
};

struct state {
    struct probe *probe;
    // UNWANTED, KILLED: no verdict is wanted any more, but the command has to be started or reaped.
    enum { FREE, STARTING, UNWANTED, RUNNING, KILLED, CLOSING } phase;
    struct spawning *spawning; // while it starts
    pid_t pid;
    int pidfd, output, told;
    uv_poll_t on_start, on_exit, on_output;
    unsigned handles; // open or closing
    bool reading;     // the output has not ended yet
    bool waiting;     // to start, until it is free
    bool closing;     // the probe is
    char line[VERDICT_CAUSE_MAX];
    size_t line_length;
    bool line_complete;
    uint64_t began_ns, ran_ns; // the check, and its command
    char awaited[VERDICT_CAUSE_MAX];
};

// ---- Keys

static int parse_word(const char *value, void *field, char error[ERROR_MAX])
{
    struct exec_command *command = field;
    size_t size = strlen(value) + 1;
    if (command->count == WORDS_MAX || size > COMMAND_MAX - command->length) {
        return error_say(error, "more than %d words, or %d bytes", WORDS_MAX, COMMAND_MAX);
    }
    memcpy(command->text + command->length, value, size);
    command->length += size;
    command->count++;
    return 0;
}

static const struct key exec_keys[] = {
    {.name = "command",
     .kind = KEY_CUSTOM,
     .offset = offsetof(struct exec_options, command),
     .parse = parse_word,
     .required = true,
     .list = true},
    {.name = "shell",
     .kind = KEY_BOOL,
     .offset = offsetof(struct exec_options, shell),
     .fallback = "no"},
    KEY_END,
};

static const char *search_path(void)
{
    const char *path = getenv("PATH");
    return path != NULL ? path : DEFAULT_PATH;
}

static bool is_in_path(const char *program)
{
    char file[COMMAND_MAX];
    for (const char *at = search_path(); *at;) {
        size_t length = strcspn(at, ":");
        snprintf(file, sizeof file, "%.*s/%s", (int)length, at, program);
        if (access(file, X_OK) == 0) {
            return true;
        }
        at += length + (at[length] == ':');
    }
    return false;
}

static void exec_check(const struct probe_conf *conf, const struct probe_problems *problems)
{
    const struct exec_options *options = conf->options;
    const char *program = options->command.text;
    if (options->shell) {
        return;
    }
    if (program[0] == '/') {
        probe_check_file(problems, "command", program);
    } else if (strchr(program, '/') != NULL) {
        probe_problem(problems, true,
                      "command \"%.80s\" must be an absolute path, or a name to be found in PATH",
                      program);
    } else if (!is_in_path(program)) {
        probe_problem(problems, false, "command %.80s is not in PATH (%.120s)", program,
                      search_path());
    }
}

static const struct exec_options *options_of(const struct state *state)
{
    return probe_conf(state->probe)->options;
}

// ---- The command's words and surroundings

struct argv {
    char *words[WORDS_MAX + 1];
    char text[COMMAND_MAX];
};

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

enum { VARIABLES = 5, VARIABLE_MAX = 1024 };

struct environment {
    char *variables[VARIABLES + 1];
    char text[VARIABLES][VARIABLE_MAX];
};

// Just these: nothing of ours leaks out, and a plugin speaks a language that the operator reads.
static void make_environment(const struct probe_conf *conf, struct environment *out)
{
    char target[ENDPOINT_TEXT_MAX];
    snprintf(out->text[0], VARIABLE_MAX, "PATH=%s", search_path());
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

// A command that starts. Whoever comes second to its end, the thread or the loop, frees it.
struct spawning {
    struct argv argv;
    struct environment environment;
    bool shell;
    int output, told; // the command's end of its output; closed when it has started, or has not
    atomic_bool left; // by the loop, or by the thread
    // When it is left by the thread:
    int error; // number: of fork and of exec alike; 0: none
    pid_t pid;
    char missing[MAGIC_MAX + 64]; // see explain_missing()
};

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
    char line[MAGIC_MAX];
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

// Nobody wants it any more.
static void end_unwanted(struct spawning *spawning)
{
    if (spawning->error == 0) {
        kill(-spawning->pid, SIGKILL);
        waitpid(spawning->pid, NULL, 0);
    }
    free(spawning);
}

static void *spawn_apart(void *arg)
{
    struct spawning *spawning = arg;
    int told = spawning->told;
    spawning->error = spawn(spawning);
    close(spawning->output);
    if (spawning->error == ENOENT) {
        explain_missing(spawning);
    }
    if (atomic_exchange(&spawning->left, true)) {
        end_unwanted(spawning);
    }
    close(told);
    return NULL;
}

// 0, or an error number.
static int begin_thread(struct spawning *spawning)
{
    pthread_attr_t attributes;
    pthread_t thread;
    sigset_t all, before;
    int error = pthread_attr_init(&attributes);
    if (error) {
        return error;
    }
    sigfillset(&all);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, STACK_SIZE);
    pthread_sigmask(SIG_SETMASK, &all, &before); // signals are the loop's
    error = pthread_create(&thread, &attributes, spawn_apart, spawning);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return error;
}

// ---- Output

// Adds bytes to the first line, up to the line's end or to Nagios' performance data.
static void take_output(struct state *state, const char *bytes, size_t length)
{
    for (size_t i = 0; i < length && !state->line_complete; i++) {
        unsigned char byte = (unsigned char)bytes[i];
        if (byte == '\n' || byte == '|') {
            state->line_complete = byte == '|' || state->line_length > 0;
        } else if (state->line_length + 1 < sizeof state->line) {
            // UTF-8 passes; what a terminal would obey does not.
            state->line[state->line_length++] = iscntrl(byte) ? ' ' : (char)byte;
        }
    }
}

// Reads what there is, so that the command never waits for us. Bounded: others may write for ever.
static void read_output(struct state *state)
{
    char bytes[4096];
    for (int i = 0; i < READS_MAX && state->reading; i++) {
        ssize_t length = read(state->output, bytes, sizeof bytes);
        if (length > 0) {
            take_output(state, bytes, (size_t)length);
        } else if (length == 0 || (errno != EAGAIN && errno != EINTR)) {
            state->reading = false;
            uv_poll_stop(&state->on_output);
        } else {
            return;
        }
    }
}

static const char *first_line(struct state *state)
{
    while (state->line_length > 0 && state->line[state->line_length - 1] == ' ') {
        state->line_length--;
    }
    state->line[state->line_length] = '\0';
    return state->line + strspn(state->line, " ");
}

// ---- The end of the command

static void run_command(struct state *state);

static void on_handle_closed(uv_handle_t *handle)
{
    struct state *state = handle->data;
    if (--state->handles > 0) {
        return;
    }
    state->phase = FREE;
    if (state->closing) {
        probe_closed(state->probe);
    } else if (state->waiting) {
        run_command(state);
    }
}

static void close_handles(struct state *state)
{
    state->phase = CLOSING;
    uv_close((uv_handle_t *)&state->on_exit, on_handle_closed);
    uv_close((uv_handle_t *)&state->on_output, on_handle_closed);
    close(state->pidfd);
    close(state->output);
}

static void give_verdict(struct state *state, int status)
{
    static const struct {
        enum verdict_kind kind;
        const char *code;
    } meanings[] = {{VERDICT_PASS, "ok"},
                    {VERDICT_DEGRADED, "warning"},
                    {VERDICT_FAIL, "critical"},
                    {VERDICT_UNKNOWN, "unknown"}};
    const char *command = options_of(state)->command.text;
    const char *line = first_line(state);
    if (WIFSIGNALED(status)) {
        probe_verdict(state->probe, VERDICT_UNKNOWN, "signal", "command %.80s was ended by %s%s%s",
                      command, strsignal(WTERMSIG(status)), line[0] ? ": " : "", line);
        return;
    }
    size_t code = (size_t)WEXITSTATUS(status);
    if (code >= sizeof meanings / sizeof *meanings) {
        // 126 and 127: the shell could not run it.
        probe_verdict(state->probe, VERDICT_UNKNOWN, "command",
                      "command %.80s exited with %zu, which means nothing to Nagios%s%s", command,
                      code, line[0] ? ": " : "", line);
    } else if (line[0]) {
        probe_verdict(state->probe, meanings[code].kind, meanings[code].code, "%s", line);
    } else {
        probe_verdict(state->probe, meanings[code].kind, meanings[code].code,
                      "command %.80s exited with %zu and wrote nothing", command, code);
    }
}

// The command has exited and is not reaped yet.
static void on_exit_poll(uv_poll_t *poll, int poll_status, int events)
{
    struct state *state = poll->data;
    bool wanted = state->phase == RUNNING;
    int status = 0;
    (void)poll_status;
    (void)events;
    kill(-state->pid, SIGKILL);
    if (waitpid(state->pid, &status, WNOHANG) != state->pid) {
        return;
    }
    read_output(state);
    close_handles(state);
    if (wanted) {
        give_verdict(state, status);
    }
}

static void on_output_poll(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    read_output(poll->data);
}

static void kill_group(struct state *state)
{
    state->waiting = false;
    if (state->phase == STARTING) {
        state->phase = UNWANTED;
    } else if (state->phase == RUNNING) {
        state->phase = KILLED;
        kill(-state->pid, SIGKILL);
    }
}

// ---- The probe type

// A command that runs but can't be watched does not stay.
static int watch_command(struct state *state)
{
    uv_loop_t *loop = probe_loop(state->probe);
    int error = 0;
    state->pidfd = pidfd_open(state->pid, 0);
    if (state->pidfd < 0) {
        error = uv_translate_sys_error(errno);
        goto err;
    }
    error = uv_poll_init(loop, &state->on_exit, state->pidfd);
    if (error) {
        goto err_pidfd;
    }
    error = uv_poll_init(loop, &state->on_output, state->output);
    state->handles += error ? 1 : 2;
    state->on_exit.data = state->on_output.data = state;
    if (error) {
        uv_close((uv_handle_t *)&state->on_exit, on_handle_closed);
        goto err_pidfd;
    }
    state->phase = state->phase == UNWANTED ? KILLED : RUNNING;
    state->ran_ns = uv_hrtime();
    state->reading = true;
    uv_poll_start(&state->on_exit, UV_READABLE, on_exit_poll);
    uv_poll_start(&state->on_output, UV_READABLE, on_output_poll);
    return 0;

err_pidfd:
    close(state->pidfd);
err:
    kill(-state->pid, SIGKILL);
    waitpid(state->pid, NULL, 0);
    return error;
}

// exec's own errors are about the configuration, fork's about us. Neither is about the service.
static void cannot_run(struct state *state, int error, const char *missing)
{
    static const int of_exec[] = {ENOENT, EACCES, ENOEXEC, ENOTDIR, EPERM,       ELOOP,
                                  E2BIG,  EISDIR, ELIBBAD, ETXTBSY, ENAMETOOLONG};
    const char *command = options_of(state)->command.text;
    for (size_t i = 0; i < sizeof of_exec / sizeof *of_exec; i++) {
        if (error == of_exec[i]) {
            probe_verdict(state->probe, VERDICT_UNKNOWN, "command", "can't run command %.80s: %s%s",
                          command, strerror(error), missing);
            return;
        }
    }
    probe_verdict(state->probe, VERDICT_UNKNOWN, "local",
                  "can't start command %.80s: %s (trouble of popgated's own)", command,
                  strerror(error));
}

// The thread has left it: the command runs, or can't.
static void take_started(struct state *state)
{
    struct spawning *spawning = state->spawning;
    bool wanted = state->phase == STARTING;
    state->spawning = NULL;
    uv_close((uv_handle_t *)&state->on_start, on_handle_closed);
    close(state->told);
    int error = spawning->error;
    if (error == 0) {
        state->pid = spawning->pid;
        error = -watch_command(state); // uv errors are negative error numbers
    }
    if (error) {
        state->phase = CLOSING;
        close(state->output);
    } else if (!wanted) {
        kill(-state->pid, SIGKILL);
    }
    if (error && wanted) {
        cannot_run(state, error, spawning->missing);
    }
    free(spawning);
}

static void on_start_poll(uv_poll_t *poll, int status, int events)
{
    struct state *state = poll->data;
    (void)status;
    (void)events;
    if (atomic_load(&state->spawning->left)) {
        take_started(state);
    }
}

// 0, or an error number: then nothing is left of it but what is closing.
static int start_apart(struct state *state, const int output[2], const int told[2])
{
    const struct probe_conf *conf = probe_conf(state->probe);
    struct spawning *spawning = calloc(1, sizeof *spawning);
    if (spawning == NULL) {
        return ENOMEM;
    }
    int error = -uv_poll_init(probe_loop(state->probe), &state->on_start, told[0]);
    if (error) {
        free(spawning);
        return error;
    }
    make_argv(conf->options, &spawning->argv);
    make_environment(conf, &spawning->environment);
    spawning->shell = options_of(state)->shell;
    spawning->output = output[1];
    spawning->told = told[1];
    state->on_start.data = state;
    state->handles = 1;
    error = -uv_poll_start(&state->on_start, UV_READABLE | UV_DISCONNECT, on_start_poll);
    error = error ? error : begin_thread(spawning);
    if (error) {
        state->phase = CLOSING;
        uv_close((uv_handle_t *)&state->on_start, on_handle_closed);
        free(spawning);
        return error;
    }
    state->phase = STARTING;
    state->spawning = spawning;
    state->output = output[0];
    state->told = told[0];
    return 0;
}

static void close_both(const int ends[2])
{
    close(ends[0]);
    close(ends[1]);
}

static void run_command(struct state *state)
{
    int output[2], told[2];
    state->waiting = state->phase != FREE;
    if (state->waiting) {
        return;
    }
    state->line_length = 0;
    state->line_complete = false;
    if (pipe2(output, O_CLOEXEC | O_NONBLOCK) < 0) {
        cannot_run(state, errno, "");
        return;
    }
    if (pipe2(told, O_CLOEXEC | O_NONBLOCK) < 0) {
        int error = errno;
        close_both(output);
        cannot_run(state, error, "");
        return;
    }
    // The command finds its end as it expects one: blocking.
    (void)fcntl(output[1], F_SETFL, 0);
    int error = start_apart(state, output, told);
    if (error) {
        close_both(output);
        close_both(told);
        cannot_run(state, error, "");
    }
}

static void exec_start(struct probe *probe)
{
    struct state *state = probe_state(probe);
    state->began_ns = uv_hrtime();
    run_command(state);
}

// The thread may never come back: it ends by itself what it then has started.
static void leave_start(struct state *state)
{
    if (atomic_exchange(&state->spawning->left, true)) {
        take_started(state);
        return;
    }
    state->spawning = NULL;
    state->phase = CLOSING;
    uv_close((uv_handle_t *)&state->on_start, on_handle_closed);
    close(state->told);
    close(state->output);
}

// Only a command that ran had its time: until then the file was being read, or the command of the
// check before, which was killed, had not ended yet.
static const char *exec_cancel(struct probe *probe)
{
    struct state *state = probe_state(probe);
    const char *command = options_of(state)->command.text;
    uint64_t started_ns = state->ran_ns - state->began_ns;
    if (state->phase == RUNNING) {
        probe_waited_for_ourselves(probe, started_ns);
        int length =
            snprintf(state->awaited, sizeof state->awaited, "end of command %.80s", command);
        if (started_ns >= SLOW_START_NS) {
            snprintf(state->awaited + length, sizeof state->awaited - (size_t)length,
                     ", whose start alone took %" PRIu64 "ms,", started_ns / NS_PER_MS);
        }
    } else {
        bool starts = state->phase == STARTING || state->phase == UNWANTED;
        probe_waited_for_ourselves(probe, PROBE_ALL_ITS_TIME);
        snprintf(state->awaited, sizeof state->awaited, "%s of command %.80s%s",
                 starts ? "start" : "end", command,
                 starts ? ": the kernel is still reading its file"
                        : ", which was killed by the check before,");
    }
    kill_group(state);
    return state->awaited;
}

static int exec_open(struct probe *probe)
{
    struct state *state = probe_state(probe);
    state->probe = probe;
    return 0;
}

static void exec_close(struct probe *probe)
{
    struct state *state = probe_state(probe);
    kill_group(state);
    state->closing = true;
    if (state->spawning != NULL) {
        leave_start(state);
    }
    if (state->phase == FREE) {
        probe_closed(probe);
    }
}

const struct probe_type probe_type_exec = {
    .name = "exec",
    .keys = exec_keys,
    .options_size = sizeof(struct exec_options),
    .check = exec_check,
    .state_size = sizeof(struct state),
    .open = exec_open,
    .close = exec_close,
    .start = exec_start,
    .cancel = exec_cancel,
};
