#include "controller/core/sessions.h"

#include <stdio.h>
#include <string.h>

void sessions_init(struct sessions *sessions, const struct config *config)
{
    for (size_t i = 0; i < config->bird.session_count && i < SESSIONS_MAX; i++) {
        struct session *session = &sessions->all[sessions->count++];
        snprintf(session->name, sizeof session->name, "%s", config->bird.sessions[i]);
    }
}

void sessions_forget(struct sessions *sessions)
{
    for (size_t i = 0; i < sessions->count; i++) {
        sessions->all[i].established = false;
    }
}

void sessions_begin(struct sessions *sessions)
{
    for (size_t i = 0; i < sessions->count; i++) {
        sessions->all[i].in_snapshot = false;
    }
}

static bool is_watched(const struct config *config, const char *name)
{
    for (size_t i = 0; i < config->bird.session_count; i++) {
        if (strcmp(config->bird.sessions[i], name) == 0) {
            return true;
        }
    }
    return config->bird.session_count == 0;
}

static struct session *session_named(struct sessions *sessions, const char *name)
{
    for (size_t i = 0; i < sessions->count; i++) {
        if (strcmp(sessions->all[i].name, name) == 0) {
            return &sessions->all[i];
        }
    }
    if (sessions->count == SESSIONS_MAX) {
        sessions->too_many = true;
        return NULL;
    }
    struct session *session = &sessions->all[sessions->count++];
    *session = (struct session){.established = false};
    snprintf(session->name, sizeof session->name, "%.*s", (int)sizeof session->name - 1, name);
    return session;
}

size_t sessions_row(struct sessions *sessions, const struct config *config,
                    const struct bird_protocol *row)
{
    if (strcmp(row->type, "BGP") != 0 || !is_watched(config, row->name)) {
        return SESSIONS_NONE;
    }
    struct session *session = session_named(sessions, row->name);
    if (session == NULL) {
        return SESSIONS_NONE;
    }
    session->in_snapshot = true;
    bool established = row->up && row->established;
    if (session->established == established) {
        return SESSIONS_NONE;
    }
    session->established = established;
    return (size_t)(session - sessions->all);
}

size_t sessions_missing(struct sessions *sessions)
{
    for (size_t i = 0; i < sessions->count; i++) {
        if (!sessions->all[i].in_snapshot && sessions->all[i].established) {
            sessions->all[i].established = false;
            return i;
        }
    }
    return SESSIONS_NONE;
}

size_t sessions_established(const struct sessions *sessions)
{
    size_t count = 0;
    for (size_t i = 0; i < sessions->count; i++) {
        count += sessions->all[i].established;
    }
    return count;
}
