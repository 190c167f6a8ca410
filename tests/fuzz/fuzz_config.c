// Any text as popgate.conf. What is accepted must render to an include file of BIRD that comes back
// as it was, and hold what config.h promises.
#include "controller/config/load.h"
#include "controller/core/birdconf.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool promise)
{
    if (!promise) {
        abort();
    }
}

static size_t errors;

static void hear(void *arg, bool error, const char *line)
{
    (void)arg;
    must(strlen(line) > 0);
    errors += error;
}

static void check_service(const struct config *config, const struct service_conf *service)
{
    must(service->name[0] && service->prefix_count > 0);
    must(service->require.count + service->any.count > 0);
    for (size_t i = 0; i < service->require.count; i++) {
        must(service->require.items[i] < config->probe_count);
    }
    for (size_t i = 0; i < service->depends.count; i++) {
        must(service->depends.items[i] < config->service_count);
    }
}

static void check_order(const struct config *config)
{
    bool *seen = calloc(config->service_count + 1, sizeof *seen);
    must(seen != NULL);
    for (size_t i = 0; i < config->service_count; i++) {
        const struct index_list *depends = &config->services[config->service_order[i]].depends;
        for (size_t j = 0; j < depends->count; j++) {
            must(seen[depends->items[j]]);
        }
        seen[config->service_order[i]] = true;
    }
    free(seen);
}

static void check_rendered(const struct config *config)
{
    char error[ERROR_MAX];
    struct birdconf *conf = birdconf_render(config);
    must(conf != NULL);
    for (size_t i = 0; i < conf->slot_count; i += 2) {
        must(birdconf_set(conf, conf->slots[i].protocol, true));
    }
    struct birdconf *back = birdconf_parse(conf->text, conf->length, error);
    must(back != NULL && strcmp(back->text, conf->text) == 0 &&
         back->slot_count == conf->slot_count);
    birdconf_free(back);
    birdconf_free(conf);
}

static void check_zone(const struct config *config)
{
    char error[ERROR_MAX];
    must(config->responder.threads > 0 && config->responder.tcp_clients > 0);
    must(config->answer_count == 0 || config->zone.apex != NULL);
    struct zone_check *check = zone_check_new(&config->zone);
    must(check != NULL);
    for (size_t i = 0; i < config->answer_count; i++) {
        must(!zone_check(check, i, error));
        must(config->answers[i].record_count > 0);
    }
    zone_check_free(check);
    if (config->responder.listen_count > 0) {
        struct zone *zone = zone_new(&config->zone);
        must(zone != NULL);
        zone_free(zone);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    must(text != NULL);
    memcpy(text, data, size);
    text[size] = '\0';
    errors = 0;
    struct config *config = config_parse("fuzz", text, hear, NULL);
    must((config != NULL) == (errors == 0));
    for (size_t i = 0; config != NULL && i < config->service_count; i++) {
        check_service(config, &config->services[i]);
    }
    if (config != NULL) {
        check_order(config);
        check_rendered(config);
        check_zone(config);
    }
    config_free(config);
    free(text);
    return 0;
}
