#include "controller/config/config.h"

#include "base/keys.h"

#include <stdio.h>
#include <stdlib.h>

size_t config_probe(const struct config *config, const char *name)
{
    return names_find(&config->probe_names, name);
}

size_t config_service(const struct config *config, const char *name)
{
    return names_find(&config->service_names, name);
}

size_t *config_services_in(const struct config *config, const struct config *other)
{
    size_t *indices = calloc(config->service_count + 1, sizeof *indices);
    for (size_t i = 0; indices != NULL && i < config->service_count; i++) {
        indices[i] = config_service(other, config->services[i].name);
    }
    return indices;
}

const char *config_nearest_service(const struct config *config, const char *name)
{
    struct nearest nearest = {.wanted = name};
    for (size_t i = 0; i < config->service_count; i++) {
        nearest_offer(&nearest, config->services[i].name);
    }
    return nearest.best;
}

void config_free_answer(struct dns_answer_conf *answer)
{
    for (size_t i = 0; i < answer->record_count; i++) {
        free((void *)answer->records[i].rdata);
    }
    free((void *)answer->records);
}

static void free_attributes(struct attributes *attributes)
{
    free(attributes->communities);
    free(attributes->large_communities);
    free(attributes->ext_communities);
}

const char *config_cookie_source(const struct config *config, char out[COOKIE_SOURCE_MAX])
{
    const char *file = config->responder.cookie_secret_file;
    if (!config->responder.cookies) {
        return NULL;
    }
    if (config->responder.cookie_secret_credential[0] != '\0') {
        snprintf(out, COOKIE_SOURCE_MAX, "credential %s",
                 config->responder.cookie_secret_credential);
    } else {
        snprintf(out, COOKIE_SOURCE_MAX, "%s", file[0] != '\0' ? file : "made up at start");
    }
    return out;
}

void config_free(struct config *config)
{
    if (config == NULL) {
        return;
    }
    for (size_t i = 0; config->probes != NULL && i < config->probe_count; i++) {
        free(config->probes[i].options);
    }
    for (size_t i = 0; config->services != NULL && i < config->service_count; i++) {
        struct service_conf *service = &config->services[i];
        free(service->prefixes);
        free(service->require.items);
        free(service->any.items);
        free(service->degrade.items);
        free(service->depends.items);
        free_attributes(&service->primary);
        free_attributes(&service->drain);
    }
    for (size_t i = 0; i < config->answer_count; i++) {
        config_free_answer(&config->answers[i]);
    }
    free(config->answers);
    free(config->responder.listen);
    free(config->responder.ns);
    free((void *)config->zone.addresses);
    free((void *)config->zone.services);
    free(config->bird.sessions);
    free(config->probes);
    free(config->services);
    free(config->service_order);
    names_clear(&config->probe_names);
    names_clear(&config->service_names);
    free(config);
}
