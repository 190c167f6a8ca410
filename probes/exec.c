// The `exec` probe: runs a command and takes its exit status as Nagios plugins say it; the first
// line of its output is the cause.
//
// The command is the leader of a session, so of a process group, of its own. The whole group ends
// with it: when it has exited, or with SIGKILL at the timeout. A pidfd tells of its end, and it is
// reaped only after its group is killed, so that the group's number can be nobody else's by then.
// What holds on to its output keeps nobody waiting. Nothing of ours is open in it.
//
// It is started aside: the kernel reads the file meanwhile, which may take for ever on a dead file
// system. One that started and can't be watched is killed, and its end is waited for aside as well.
#include "base/clock.h"
#include "probes/exec_spawn.h"
#include "probes/probe.h"
#include "probes/types.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define READS_MAX     16                // in one turn of the loop
#define SLOW_START_NS (100 * NS_PER_MS) // worth a word

struct state {
    struct probe *probe;
    // UNWANTED, KILLED: no verdict is wanted any more, but the command has to be started or reaped.
    // REAPING: aside; UNREAPED: it could not even be.
    enum { FREE, STARTING, UNWANTED, RUNNING, KILLED, CLOSING, REAPING, UNREAPED } phase;
    struct aside aside; // starts it, and reaps what can't be watched
    bool aside_gone;
    pid_t pid;
    int pidfd, output;
    uv_poll_t on_exit, on_output;
    unsigned handles; // of these, open or closing
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
    if (command->count == EXEC_WORDS_MAX || size > EXEC_COMMAND_MAX - command->length) {
        return error_say(error, "more than %d words, or %d bytes", EXEC_WORDS_MAX,
                         EXEC_COMMAND_MAX);
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

static bool is_in_path(const char *program)
{
    char file[EXEC_COMMAND_MAX];
    for (const char *at = exec_search_path(); *at;) {
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
        if (access(program, X_OK) != 0) {
            probe_problem(problems, false, "command %.160s: %s", program, strerror(errno));
        }
    } else if (strchr(program, '/') != NULL) {
        probe_problem(problems, true,
                      "command \"%.80s\" must be an absolute path, or a name to be found in PATH",
                      program);
    } else if (!is_in_path(program)) {
        probe_problem(problems, false, "command %.80s is not in PATH (%.120s)", program,
                      exec_search_path());
    }
}

static const struct exec_options *options_of(const struct state *state)
{
    return probe_conf(state->probe)->options;
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

static void close_if_done(struct state *state)
{
    if (state->closing && state->aside_gone && state->phase == FREE) {
        probe_closed(state->probe);
    }
}

// There is no command any more.
static void become_free(struct state *state)
{
    state->phase = FREE;
    if (state->waiting) {
        run_command(state);
    }
    close_if_done(state);
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct state *state = handle->data;
    if (--state->handles == 0 && state->phase == CLOSING) {
        become_free(state);
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

// 0 or a negative uv error.
static int watch_command(struct state *state)
{
    uv_loop_t *loop = probe_loop(state->probe);
    state->pidfd = pidfd_open(state->pid, 0);
    if (state->pidfd < 0) {
        return uv_translate_sys_error(errno);
    }
    state->on_exit.data = state->on_output.data = state;
    int error = uv_poll_init(loop, &state->on_exit, state->pidfd);
    if (error) {
        goto err;
    }
    error = uv_poll_init(loop, &state->on_output, state->output);
    state->handles += error ? 1 : 2;
    if (error) {
        uv_close((uv_handle_t *)&state->on_exit, on_handle_closed);
        goto err;
    }
    state->phase = state->phase == UNWANTED ? KILLED : RUNNING;
    state->ran_ns = uv_hrtime();
    state->reading = true;
    uv_poll_start(&state->on_exit, UV_READABLE, on_exit_poll);
    uv_poll_start(&state->on_output, UV_READABLE, on_output_poll);
    return 0;
err:
    close(state->pidfd);
    return error;
}

// The process is gone, and so is all that we had of it, once the handles are.
static void is_reaped(struct state *state)
{
    if (state->handles > 0) {
        state->phase = CLOSING;
    } else {
        become_free(state);
    }
}

// It runs, but nothing would tell of its end.
static void end_unwatched(struct state *state, struct spawning *spawning)
{
    kill(-state->pid, SIGKILL);
    spawning_reap(spawning);
    state->phase = REAPING;
    if (aside_begin(&state->aside, &spawning->work) != 0) {
        free(spawning);
        state->phase = UNREAPED; // until the next check looks
    }
}

static bool has_ended(const struct state *state)
{
    return waitpid(state->pid, NULL, WNOHANG) != 0;
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

// It did not start.
static void on_not_started(struct state *state, struct spawning *spawning)
{
    bool wanted = state->phase == STARTING;
    close(state->output);
    become_free(state);
    if (wanted) {
        cannot_run(state, spawning->error, spawning->missing);
    }
    free(spawning);
}

static void on_started(struct state *state, struct spawning *spawning)
{
    bool wanted = state->phase == STARTING;
    state->pid = spawning->pid;
    int error = -watch_command(state); // uv errors are negative error numbers
    if (error) {
        close(state->output);
        end_unwatched(state, spawning);
        if (wanted) {
            cannot_run(state, error, "");
        }
        return;
    }
    free(spawning);
    if (wanted) {
        probe_waited_for_ourselves(state->probe, state->ran_ns - state->began_ns);
    } else {
        kill(-state->pid, SIGKILL);
    }
}

// The command runs, or can't; or the one that could not be watched is reaped.
static void on_aside_done(void *owner, struct aside_work *work)
{
    struct state *state = owner;
    struct spawning *spawning = (struct spawning *)work;
    if (spawning->reaped) {
        free(spawning);
        is_reaped(state);
    } else if (spawning->error) {
        on_not_started(state, spawning);
    } else {
        on_started(state, spawning);
    }
}

// 0, or an error number.
static int start_apart(struct state *state, const int output[2])
{
    const struct probe_conf *conf = probe_conf(state->probe);
    struct spawning *spawning = spawning_new(conf, options_of(state), output[1]);
    if (spawning == NULL) {
        return ENOMEM;
    }
    int error = -aside_begin(&state->aside, &spawning->work);
    if (error) {
        free(spawning);
        return error;
    }
    state->phase = STARTING;
    state->output = output[0];
    return 0;
}

static void run_command(struct state *state)
{
    int output[2];
    if (state->phase == UNREAPED && has_ended(state)) {
        state->phase = state->handles > 0 ? CLOSING : FREE;
    }
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
    // The command finds its end as it expects one: blocking.
    (void)fcntl(output[1], F_SETFL, 0);
    int error = start_apart(state, output);
    if (error) {
        close(output[0]);
        close(output[1]);
        cannot_run(state, error, "");
    }
}

static void exec_start(struct probe *probe)
{
    struct state *state = probe_state(probe);
    state->began_ns = uv_hrtime();
    run_command(state);
}

// Only a command that ran had its time: until then the file was being read, or the command of the
// check before, which was killed, had not ended yet.
static struct awaited exec_cancel(struct probe *probe)
{
    struct state *state = probe_state(probe);
    const char *command = options_of(state)->command.text;
    bool ran = state->phase == RUNNING;
    uint64_t started_ns = ran ? state->ran_ns - state->began_ns : ALL_ITS_TIME;
    if (ran) {
        int length =
            snprintf(state->awaited, sizeof state->awaited, "end of command %.80s", command);
        if (started_ns >= SLOW_START_NS) {
            snprintf(state->awaited + length, sizeof state->awaited - (size_t)length,
                     ", whose start alone took %" PRIu64 "ms,", started_ns / NS_PER_MS);
        }
    } else {
        bool starts = state->phase == STARTING || state->phase == UNWANTED;
        snprintf(state->awaited, sizeof state->awaited, "%s of command %.80s%s",
                 starts ? "start" : "end", command,
                 starts ? ": the kernel is still reading its file"
                        : ", which was killed by the check before,");
    }
    kill_group(state);
    return (struct awaited){state->awaited, started_ns};
}

static void on_aside_free(void *owner)
{
    struct state *state = owner;
    state->aside_gone = true;
    close_if_done(state);
}

static int exec_open(struct probe *probe)
{
    struct state *state = probe_state(probe);
    state->probe = probe;
    state->aside =
        (struct aside){.owner = state, .on_done = on_aside_done, .on_free = on_aside_free};
    return aside_open(&state->aside, probe_loop(probe));
}

// A start that does not end is left behind: what it then has started, it ends by itself. So is who
// reaps; what no thread could be had for may stay, dead and unreaped, for as long as popgated does.
static void exec_close(struct probe *probe)
{
    struct state *state = probe_state(probe);
    kill_group(state);
    state->closing = true;
    aside_close(&state->aside);
    if (state->phase == UNWANTED) {
        state->phase = FREE;
        close(state->output);
    } else if (state->phase == REAPING || state->phase == UNREAPED) {
        state->phase = state->handles > 0 ? CLOSING : FREE;
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
