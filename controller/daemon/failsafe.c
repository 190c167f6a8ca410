#include "controller/daemon/failsafe.h"

#include "controller/api/listen.h"
#include "controller/daemon/attended.h"
#include "controller/daemon/birdconf_file.h"
#include "controller/daemon/log.h"
#include "controller/daemon/restarts.h"
#include "controller/daemon/worked.h"

#include "base/clock.h"
#include "base/file.h"
#include "birdctl/session.h"

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WITHIN_MS  5000
#define ANSWERS_MS 3000 // after a crash systemd has started the next one long before
#define LOOK_MS    50
// It may try twice, well within the unit's TimeoutStopSec.
#define ENDED_WITHIN_MS 3000
#define ENDED_FILE      "restarts"
#define EXIT_RESTART    "75" // of a planned restart
// Between two tries, doubled after each: should somebody bring up what is disabled, neighbours are
// not to see that many times.
#define AGAIN_MIN_MS 50
#define AGAIN_MAX_MS 1000

enum token { DISABLE, LOOK };

// What `show protocols` said of ours.
struct seen {
    size_t rows, left; // those that are not down
    bool up;           // some of these: not on their way down
    char first[BIRD_NAME_MAX];
};

struct failsafe {
    struct bird_session *session;
    uv_timer_t end, again;
    bool withdrawn;
    bool matched;       // BIRD has said that there are protocols of ours
    bool popgated_runs; // it would bring up each time what is healthy
    uint64_t again_ms;
    struct seen seen;
    char reason[256];
};

static void finish(struct failsafe *failsafe)
{
    if (failsafe->session != NULL) {
        // No wait: what can be outstanding (`disable`, `show protocols`) no BIRD minds (bird-facts
        // 23).
        bird_session_close(failsafe->session, 0, NULL, NULL);
        failsafe->session = NULL;
        uv_close((uv_handle_t *)&failsafe->end, NULL);
        uv_close((uv_handle_t *)&failsafe->again, NULL);
    }
}

static void disable(struct failsafe *failsafe)
{
    (void)bird_session_send(failsafe->session, bird_disable(NAMES_ALL).text, DISABLE, true);
}

static void on_link(void *arg, enum bird_link link, const char *reason,
                    const struct bird_version *version)
{
    struct failsafe *failsafe = arg;
    (void)version;
    uv_timer_stop(&failsafe->again);
    if (link == BIRD_LINK_UP) {
        disable(failsafe);
    } else {
        snprintf(failsafe->reason, sizeof failsafe->reason, "%s", reason);
    }
}

static void on_line(void *arg, uint64_t token, const struct bird_line *line)
{
    struct failsafe *failsafe = arg;
    struct seen *seen = &failsafe->seen;
    struct bird_protocol row;
    if (token != LOOK || !bird_parse_protocol(line, &row) ||
        strncmp(row.name, NAMES_OURS, strlen(NAMES_OURS)) != 0) {
        return;
    }
    if (!row.down && seen->left == 0) {
        snprintf(seen->first, sizeof seen->first, "%s", row.name);
    }
    seen->rows++;
    seen->left += !row.down;
    seen->up = seen->up || row.up;
}

static void on_again(uv_timer_t *timer)
{
    disable(timer->data);
}

static void disabled(struct failsafe *failsafe, enum bird_outcome outcome)
{
    failsafe->matched = outcome == BIRD_OK;
    failsafe->seen = (struct seen){0};
    (void)bird_session_send(failsafe->session, bird_show_protocols().text, LOOK, true);
}

// Acknowledged is not yet gone: it takes BIRD some time, and somebody may bring it up again.
static void looked(struct failsafe *failsafe)
{
    const struct seen *seen = &failsafe->seen;
    failsafe->withdrawn = seen->left == 0 && (seen->rows > 0 || !failsafe->matched);
    if (failsafe->withdrawn) {
        finish(failsafe);
        return;
    }
    if (seen->left > 0) {
        snprintf(failsafe->reason, sizeof failsafe->reason,
                 "BIRD has acknowledged it each time, and %s%s still not down", seen->first,
                 seen->left > 1 ? " and others are" : " is");
    } else {
        snprintf(failsafe->reason, sizeof failsafe->reason,
                 "BIRD has acknowledged it, but `show protocols` tells nothing of our protocols");
    }
    if (failsafe->popgated_runs && seen->up) {
        finish(failsafe);
        return;
    }
    uv_timer_start(&failsafe->again, on_again, failsafe->again_ms, 0);
    failsafe->again_ms =
        failsafe->again_ms * 2 < AGAIN_MAX_MS ? failsafe->again_ms * 2 : AGAIN_MAX_MS;
}

static void on_end(void *arg, uint64_t token, enum bird_end end, unsigned code, const char *text)
{
    struct failsafe *failsafe = arg;
    enum bird_outcome outcome = bird_outcome(code);
    if (end != BIRD_END_REPLY) {
        return; // it reconnects
    }
    if (outcome != BIRD_OK && (token != DISABLE || outcome != BIRD_NO_PROTOCOL)) {
        snprintf(failsafe->reason, sizeof failsafe->reason, "BIRD answered %04u %s", code, text);
        finish(failsafe);
    } else if (token == DISABLE) {
        disabled(failsafe, outcome);
    } else {
        looked(failsafe);
    }
}

static void on_echo(void *arg, const char *text)
{
    (void)arg;
    (void)text;
}

static void on_timeout(uv_timer_t *timer)
{
    finish(timer->data);
}

// Everything of ours is switched off, and seen to be.
static bool withdraw(const struct config *config, unsigned within_ms)
{
    static const struct bird_session_events events = {on_link, on_line, on_end, on_echo};
    struct failsafe failsafe = {.popgated_runs = listening_is_live(config->pop.runtime_dir),
                                .again_ms = AGAIN_MIN_MS,
                                .reason = "BIRD did not answer in time"};
    struct bird_session_options options = {.socket_path = config->bird.socket,
                                           .deadline_ms = within_ms,
                                           .give_up_ms = within_ms,
                                           .reply_ms = within_ms,
                                           .backoff_min_ms = 50,
                                           .backoff_max_ms = 500};
    uv_loop_t loop;
    if (uv_loop_init(&loop) != 0) {
        return false;
    }
    uv_timer_init(&loop, &failsafe.end);
    uv_timer_init(&loop, &failsafe.again);
    failsafe.end.data = failsafe.again.data = &failsafe;
    uv_timer_start(&failsafe.end, on_timeout, within_ms, 0);
    failsafe.session = bird_session_new(&loop, &options, &events, &failsafe);
    if (failsafe.session == NULL) {
        uv_close((uv_handle_t *)&failsafe.end, NULL);
        uv_close((uv_handle_t *)&failsafe.again, NULL);
    }
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
    if (!failsafe.withdrawn) {
        log_line(LOG_LEVEL_ERROR, "fail-safe: could not withdraw through %s within %u ms: %s",
                 config->bird.socket, within_ms, failsafe.reason);
    }
    return failsafe.withdrawn;
}

static bool switch_file_off(const struct config *config)
{
    char error[ERROR_MAX];
    struct birdconf *file = birdconf_read(config->pop.runtime_dir, error);
    if (file == NULL && error[0] == '\0') {
        return true; // no file, nothing that BIRD could bring up
    }
    int status = 0;
    if (file == NULL) {
        // Not to be trusted: without it BIRD has no protocol of ours when it restarts.
        status = birdconf_save(config->pop.runtime_dir, NULL, 0, error);
    } else {
        for (size_t i = 0; i < file->slot_count; i++) {
            birdconf_set(file, file->slots[i].protocol, false);
        }
        status = birdconf_save(config->pop.runtime_dir, file->text, file->length, error);
    }
    birdconf_free(file);
    if (status != 0) {
        log_line(LOG_LEVEL_ERROR, "fail-safe: %s", error);
    }
    return status == 0;
}

static void report(void *arg, bool error, const char *line)
{
    (void)arg;
    if (error) {
        log_line(LOG_LEVEL_ERROR, "%s", line);
    }
}

int failsafe_withdraw_within(const char *config_path, unsigned within_ms)
{
    log_init();
    signal(SIGPIPE, SIG_IGN);
    struct config *config = worked_or_salvaged(config_path, report, NULL);
    if (config == NULL) {
        log_line(LOG_LEVEL_ERROR, "fail-safe: out of memory; run: birdc '%s'",
                 bird_disable(NAMES_ALL).text);
        return 1;
    }
    bool withdrawn = withdraw(config, within_ms);
    bool file_off = switch_file_off(config);
    if (withdrawn && file_off) {
        withdrawn =
            withdraw(config, within_ms); // what a `configure` brought back while the file said so
    }
    if (listening_is_live(config->pop.runtime_dir)) {
        log_line(LOG_LEVEL_WARNING,
                 "fail-safe: popgated runs, and announces again what is healthy; to contain the "
                 "PoP: popgate isolate --all");
    } else if (withdrawn && file_off) {
        log_line(LOG_LEVEL_WARNING,
                 "fail-safe: everything is withdrawn; start popgated to announce again");
    }
    config_free(config);
    return withdrawn && file_off ? 0 : 1;
}

int failsafe_withdraw_all(const char *config_path)
{
    return failsafe_withdraw_within(config_path, WITHIN_MS);
}

static bool popgated_answers(const char *runtime_dir, unsigned within_ms)
{
    for (unsigned waited_ms = 0; !listening_is_live(runtime_dir); waited_ms += LOOK_MS) {
        if (waited_ms >= within_ms) {
            return false;
        }
        uv_sleep(LOOK_MS);
    }
    return true;
}

int failsafe_unattended_within(const char *config_path, unsigned answers_ms, unsigned within_ms)
{
    log_init();
    struct config *config = worked_or_salvaged(config_path, report, NULL);
    bool attended = config != NULL && (!attended_has_begun(config->pop.runtime_dir) ||
                                       popgated_answers(config->pop.runtime_dir, answers_ms));
    config_free(config);
    if (attended) {
        return 0;
    }
    log_line(LOG_LEVEL_WARNING,
             "fail-safe: popgated has ended without having stopped, and nobody starts it again");
    return failsafe_withdraw_within(config_path, within_ms);
}

int failsafe_withdraw_unattended(const char *config_path)
{
    return failsafe_unattended_within(config_path, ANSWERS_MS, WITHIN_MS);
}

// ---- After each end

// False: it can't be counted.
static bool count_end(const char *runtime_dir, bool *slow)
{
    uint64_t now_ms = clock_monotonic_ns() / NS_PER_MS;
    struct restarts restarts = {.count = 0};
    char path[PATH_MAX];
    char text[RESTARTS_TEXT_MAX];
    char error[ERROR_MAX];
    char *former;
    size_t length;
    snprintf(path, sizeof path, "%s/" ENDED_FILE, runtime_dir);
    if (file_read(path, RESTARTS_TEXT_MAX, &former, &length, error) == 0) {
        restarts_parse(former, now_ms, &restarts);
        free(former);
    }
    *slow = restarts_ended(&restarts, now_ms);
    restarts_text(&restarts, text);
    if (file_replace(runtime_dir, ENDED_FILE, text, strlen(text), 0644, error) != 0) {
        log_line(LOG_LEVEL_ERROR, "fail-safe: can't count how often popgated ends: %s", error);
        return false;
    }
    return true;
}

static void forget_ends(const char *runtime_dir)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/" ENDED_FILE, runtime_dir);
    (void)unlink(path);
}

int failsafe_ended(const char *config_path)
{
    const char *result = getenv("SERVICE_RESULT");
    const char *status = getenv("EXIT_STATUS");
    log_init();
    if (result == NULL) {
        log_line(LOG_LEVEL_ERROR, "--ended is for ExecStopPost= of popgated.service");
        return 2;
    }
    struct config *config = worked_or_salvaged(config_path, report, NULL);
    if (config == NULL) {
        return 1;
    }
    const char *units = getenv("RUNTIME_DIRECTORY"); // where its unit looks
    const char *directory = units != NULL ? units : config->pop.runtime_dir;
    bool told = true;
    bool slow = false;
    bool planned = status != NULL && strcmp(status, EXIT_RESTART) == 0;
    if (planned || strcmp(result, "success") == 0) {
        forget_ends(directory);
    } else {
        told = count_end(directory, &slow);
    }
    if (slow && !listening_is_live(config->pop.runtime_dir)) {
        log_line(LOG_LEVEL_ERROR,
                 "fail-safe: popgated ends again and again (%s): everything is withdrawn, and it "
                 "is tried again every few seconds",
                 result);
        (void)failsafe_withdraw_within(config_path, ENDED_WITHIN_MS);
    }
    config_free(config);
    return told ? 0 : 1;
}
