#include "controller/core/names.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static const char ours[] = NAMES_OURS;
static const char *const leg_suffix[LEGS] = {[LEG_PRIMARY] = "", [LEG_DRAIN] = "_drain"};

void names_protocol(const struct service_conf *service, enum family family, enum leg_name leg,
                    char out[BIRD_PROTOCOL_MAX])
{
    assert(service->symbol[0] != '\0' && family < FAMILIES && leg < LEGS);
    int length = snprintf(out, BIRD_PROTOCOL_MAX, "%s%s_%s%s", ours, service->symbol,
                          names_family(family), leg_suffix[leg]);
    assert(length > 0 && length < BIRD_PROTOCOL_MAX); // half a name is another name
    (void)length;
}

bool names_parse(const char *protocol, struct service_conf *out)
{
    size_t length = strlen(protocol);
    for (unsigned family = 0; family < FAMILIES; family++) {
        size_t rest = strlen("_") + strlen(names_family(family));
        if (!names_is_ours(protocol) || length <= strlen(ours) + rest ||
            strcmp(protocol + length - rest + 1, names_family(family)) != 0 ||
            protocol[length - rest] != '_' || length - rest - strlen(ours) >= sizeof out->symbol) {
            continue;
        }
        snprintf(out->symbol, sizeof out->symbol, "%.*s", (int)(length - rest - strlen(ours)),
                 protocol + strlen(ours));
        out->has_family[family] = true;
        return true;
    }
    return false;
}

size_t names_base_length(const struct service_conf *service)
{
    return strlen(ours) + strlen(service->symbol) + strlen("_v");
}

void names_look(const struct service_conf *service, char out[BIRD_PROTOCOL_MAX])
{
    snprintf(out, BIRD_PROTOCOL_MAX, "%s%s_v*", ours, service->symbol);
}

void names_beginning(const char *prefix, bool twins, char out[BIRD_PROTOCOL_MAX + 8])
{
    snprintf(out, BIRD_PROTOCOL_MAX + 8, "%s*%s", prefix, twins ? leg_suffix[LEG_DRAIN] : "");
}

const char *names_family(enum family family)
{
    static const char *const names[FAMILIES] = {[FAMILY_V4] = "v4", [FAMILY_V6] = "v6"};
    return names[family];
}

const char *names_table(enum family family)
{
    static const char *const names[FAMILIES] = {[FAMILY_V4] = "popgate4", [FAMILY_V6] = "popgate6"};
    return names[family];
}

const char *names_pipe(enum family family)
{
    static const char *const names[FAMILIES] = {
        [FAMILY_V4] = "popgate4_pipe", [FAMILY_V6] = "popgate6_pipe"};
    return names[family];
}

bool names_is_pipe(const char *protocol)
{
    return strcmp(protocol, names_pipe(FAMILY_V4)) == 0 ||
           strcmp(protocol, names_pipe(FAMILY_V6)) == 0;
}

bool names_is_ours(const char *protocol)
{
    return strncmp(protocol, ours, sizeof ours - 1) == 0;
}
