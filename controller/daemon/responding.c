#include "controller/daemon/responding.h"

#include "controller/daemon/identity.h"
#include "controller/daemon/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// What it remarks is said once, and not each second in which others are tried again.
static bool listen_to(struct responding *responding, struct responder *responder,
                      const struct config *config, const struct endpoint *addresses, size_t count,
                      char error[ERROR_MAX])
{
    struct responder_conf conf = identity_listen(config);
    conf.listen = addresses;
    conf.listen_count = count;
    error[0] = '\0';
    if (responder_listen(responder, &conf, error) != 0) {
        return false;
    }
    if (error[0] != '\0' && strcmp(error, responding->remark) != 0) {
        log_line(LOG_LEVEL_WARNING, "%s", error);
    }
    error_say(responding->remark, "%s", error);
    return true;
}

static bool same(const struct endpoint *a, const struct endpoint *b)
{
    char one[ENDPOINT_TEXT_MAX];
    char other[ENDPOINT_TEXT_MAX];
    return strcmp(endpoint_text(a, one), endpoint_text(b, other)) == 0;
}

static bool is_had(const struct responding *responding, const struct endpoint *address)
{
    for (size_t i = 0; i < responding->count; i++) {
        if (same(&responding->had[i], address)) {
            return true;
        }
    }
    return false;
}

static struct endpoint *room_for(const struct config *config)
{
    return calloc(config->responder.listen_count + 1, sizeof(struct endpoint));
}

static void take(struct responding *responding, struct endpoint *had, size_t count)
{
    free(responding->had);
    responding->had = had;
    responding->count = count;
}

bool responding_all(struct responding *responding, struct responder *responder,
                    const struct config *config, char error[ERROR_MAX])
{
    struct endpoint *had = room_for(config);
    size_t count = config->responder.listen_count;
    if (had == NULL) {
        error_say(error, "out of memory");
        return false;
    }
    if (!listen_to(responding, responder, config, config->responder.listen, count, error)) {
        free(had);
        return false;
    }
    if (count > 0) {
        memcpy(had, config->responder.listen, count * sizeof *had);
    }
    take(responding, had, count);
    responding->trouble[0] = '\0';
    return true;
}

// Those that it listens to already come first, so that none of them is given up meanwhile.
void responding_some(struct responding *responding, struct responder *responder,
                     const struct config *config)
{
    const struct endpoint *wanted = config->responder.listen;
    size_t wanted_count = config->responder.listen_count;
    struct endpoint *had = room_for(config);
    char error[ERROR_MAX];
    size_t count = 0;
    if (had == NULL) {
        error_say(responding->trouble, "out of memory");
        return;
    }
    for (size_t i = 0; i < wanted_count; i++) {
        if (is_had(responding, &wanted[i])) {
            had[count++] = wanted[i];
        }
    }
    responding->trouble[0] = '\0';
    if (!listen_to(responding, responder, config, had, count, error)) {
        error_say(responding->trouble, "%s", error);
    }
    for (size_t i = 0; i < wanted_count; i++) {
        if (is_had(responding, &wanted[i])) {
            continue;
        }
        had[count] = wanted[i];
        if (listen_to(responding, responder, config, had, count + 1, error)) {
            count++;
        } else if (responding->trouble[0] == '\0') {
            error_say(responding->trouble, "%s", error);
        }
    }
    take(responding, had, count);
}

void responding_clear(struct responding *responding)
{
    take(responding, NULL, 0);
}
