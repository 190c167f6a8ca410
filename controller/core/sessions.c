#include "controller/core/sessions.h"

#include <stdio.h>
#include <string.h>

void sessions_init(struct sessions *sessions, const struct config *config)
{
    for (size_t i = 0; i < config->bird.session_count && i < SESSIONS_MAX; i++) {
        struct session *session = &sessions->all[sessions->count++];
        snprintf(session->name, sizeof session->name, "%s", config->bird.sessions[i]);
        session->named = true;
    }
}

void sessions_forget(struct sessions *sessions)
{
    for (size_t i = 0; i < sessions->count; i++) {
        sessions->all[i].established = false;
        sessions->all[i].questions = 0;
    }
}

void sessions_begin(struct sessions *sessions)
{
    sessions->unplaced = false;
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

static struct session *find(struct sessions *sessions, const char *name)
{
    for (size_t i = 0; i < sessions->count; i++) {
        if (strcmp(sessions->all[i].name, name) == 0) {
            return &sessions->all[i];
        }
    }
    return NULL;
}

static bool is_free(const struct session *session)
{
    return !session->named && !session->there && session->questions == 0;
}

// Of one that is gone, or a new one; NULL: there is none left.
static struct session *free_place(struct sessions *sessions)
{
    for (size_t i = 0; i < sessions->count; i++) {
        if (is_free(&sessions->all[i])) {
            return &sessions->all[i];
        }
    }
    return sessions->count < SESSIONS_MAX ? &sessions->all[sessions->count++] : NULL;
}

static struct session *session_named(struct sessions *sessions, const char *name)
{
    struct session *session = find(sessions, name);
    if (session != NULL) {
        return session;
    }
    session = free_place(sessions);
    if (session != NULL) {
        *session = (struct session){.named = false};
        snprintf(session->name, sizeof session->name, "%.*s", (int)sizeof session->name - 1, name);
    }
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
        sessions->unplaced = true;
        return SESSIONS_NONE;
    }
    session->there = session->in_snapshot = true;
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
    for (size_t i = 0; i < sessions->count; i++) {
        sessions->all[i].there = sessions->all[i].in_snapshot;
    }
    sessions->too_many = sessions->unplaced;
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
