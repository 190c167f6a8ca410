#include "controller/daemon/failsafe.h"

#include "controller/api/listen.h"
#include "controller/config/load.h"
#include "controller/daemon/birdconf_file.h"
#include "controller/daemon/log.h"

#include "birdctl/session.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#define WITHIN_MS 5000

struct failsafe {
    struct bird_session *session;
    uv_timer_t timer;
    bool withdrawn;
    char reason[256];
};

static void finish(struct failsafe *failsafe)
{
    if (failsafe->session != NULL) {
        // No wait: a `disable` is all that can be outstanding, which no BIRD minds (bird-facts 23).
        bird_session_close(failsafe->session, 0, NULL, NULL);
        failsafe->session = NULL;
        uv_close((uv_handle_t *)&failsafe->timer, NULL);
    }
}

static void on_link(void *arg, enum bird_link link, const char *reason,
                    const struct bird_version *version)
{
    struct failsafe *failsafe = arg;
    (void)version;
    snprintf(failsafe->reason, sizeof failsafe->reason, "%s", reason);
    if (link == BIRD_LINK_UP) {
        bird_session_send(failsafe->session, bird_disable(NAMES_ALL).text, 0, true);
    }
}

static void on_line(void *arg, uint64_t token, const struct bird_line *line)
{
    (void)arg;
    (void)token;
    (void)line;
}

static void on_end(void *arg, uint64_t token, enum bird_end end, unsigned code, const char *text)
{
    struct failsafe *failsafe = arg;
    (void)token;
    if (end != BIRD_END_REPLY) {
        return; // it reconnects
    }
    enum bird_outcome outcome = bird_outcome(code);
    failsafe->withdrawn = outcome == BIRD_OK || outcome == BIRD_NO_PROTOCOL;
    if (!failsafe->withdrawn) {
        snprintf(failsafe->reason, sizeof failsafe->reason, "BIRD answered %04u %s", code, text);
    }
    finish(failsafe);
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

static bool withdraw(const struct config *config)
{
    static const struct bird_session_events events = {on_link, on_line, on_end, on_echo};
    struct failsafe failsafe = {.reason = "BIRD did not answer in time"};
    struct bird_session_options options = {.socket_path = config->bird.socket,
                                           .deadline_ms = WITHIN_MS,
                                           .give_up_ms = WITHIN_MS,
                                           .reply_ms = WITHIN_MS,
                                           .backoff_min_ms = 50,
                                           .backoff_max_ms = 500};
    uv_loop_t loop;
    if (uv_loop_init(&loop) != 0) {
        return false;
    }
    uv_timer_init(&loop, &failsafe.timer);
    failsafe.timer.data = &failsafe;
    uv_timer_start(&failsafe.timer, on_timeout, WITHIN_MS, 0);
    failsafe.session = bird_session_new(&loop, &options, &events, &failsafe);
    if (failsafe.session == NULL) {
        uv_close((uv_handle_t *)&failsafe.timer, NULL);
    }
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
    if (!failsafe.withdrawn) {
        log_line(LOG_LEVEL_ERROR, "fail-safe: could not withdraw through %s within %d ms: %s",
                 config->bird.socket, WITHIN_MS, failsafe.reason);
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

int failsafe_withdraw_all(const char *config_path)
{
    log_init();
    signal(SIGPIPE, SIG_IGN);
    struct config *config = config_salvage(config_path, report, NULL);
    if (config == NULL) {
        log_line(LOG_LEVEL_ERROR, "fail-safe: out of memory; run: birdc '%s'",
                 bird_disable(NAMES_ALL).text);
        return 1;
    }
    bool withdrawn = withdraw(config);
    bool file_off = switch_file_off(config);
    if (withdrawn && file_off && listening_is_live(config->pop.runtime_dir)) {
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
