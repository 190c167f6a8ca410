// See token_secrets.h.
#include "probes/token_secrets.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

struct reading {
    struct aside_work work; // the first
    struct secret client, given;
    char client_path[SECRET_PATH_MAX], given_path[SECRET_PATH_MAX]; // "": none
    const char *what;                                               // can't be read; NULL: nothing
    char problem[ERROR_MAX];
};

static void read_aside(struct aside_work *work)
{
    struct reading *reading = (struct reading *)work;
    if (reading->client_path[0] &&
        secret_load(&reading->client, reading->client_path, reading->problem) != 0) {
        reading->what = "client's secret";
    } else if (reading->given_path[0] &&
               secret_load(&reading->given, reading->given_path, reading->problem) != 0) {
        reading->what = "token";
    }
}

static void drop_reading(struct aside_work *work)
{
    struct reading *reading = (struct reading *)work;
    secret_drop(&reading->client);
    secret_drop(&reading->given);
    free(reading);
}

static void end(struct token_secrets *secrets, const char *what, const char *problem)
{
    secrets->wanted = NULL;
    secrets->on_read(secrets->owner, what, problem);
}

static void take_back(struct token_secrets *secrets, const struct reading *reading)
{
    secrets->client = reading->client;
    secrets->given = reading->given;
}

// 0 or a negative uv error; or problem says why it can't be told where they are.
static int begin_reading(struct token_secrets *secrets, char problem[ERROR_MAX])
{
    const struct token_options *options = secrets->wanted;
    struct reading *reading = calloc(1, sizeof *reading);
    if (reading == NULL) {
        return UV_ENOMEM;
    }
    reading->work = (struct aside_work){.run = read_aside, .drop = drop_reading};
    snprintf(reading->given_path, sizeof reading->given_path, "%s", options->token_file);
    if (options->client_id[0] && secret_path(options->secret_file, options->secret_credential,
                                             reading->client_path, problem) != 0) {
        free(reading);
        return 0;
    }
    reading->client = secrets->client;
    reading->given = secrets->given;
    secrets->client = secrets->given = (struct secret){.text = NULL};
    int error = aside_begin(&secrets->aside, &reading->work);
    if (error) {
        take_back(secrets, reading);
        free(reading);
    }
    return error;
}

static void begin(struct token_secrets *secrets)
{
    char problem[ERROR_MAX] = "";
    int error = begin_reading(secrets, problem);
    secrets->late = false;
    if (error) {
        (void)error_say(problem, "%s (trouble of popgated's own)", uv_strerror(error));
    }
    if (problem[0]) {
        end(secrets, "client's secret", problem);
    }
}

static void on_done(void *owner, struct aside_work *work)
{
    struct token_secrets *secrets = owner;
    struct reading *reading = (struct reading *)work;
    take_back(secrets, reading);
    if (secrets->wanted != NULL && secrets->late) {
        begin(secrets);
    } else if (secrets->wanted != NULL) {
        end(secrets, reading->what, reading->what != NULL ? reading->problem : NULL);
    }
    free(reading);
}

static void on_aside_free(void *owner)
{
    struct token_secrets *secrets = owner;
    secrets->on_free(secrets->owner);
}

int token_secrets_open(struct token_secrets *secrets, uv_loop_t *loop)
{
    secrets->aside = (struct aside){.owner = secrets, .on_done = on_done, .on_free = on_aside_free};
    return aside_open(&secrets->aside, loop);
}

void token_secrets_close(struct token_secrets *secrets)
{
    secrets->wanted = NULL;
    aside_close(&secrets->aside);
    secret_drop(&secrets->client);
    secret_drop(&secrets->given);
}

void token_secrets_read(struct token_secrets *secrets, const struct token_options *options)
{
    assert(secrets->wanted == NULL);
    secrets->wanted = options;
    secrets->late = secrets->aside.work != NULL;
    if (!secrets->late) {
        begin(secrets);
    }
}

bool token_secrets_forget(struct token_secrets *secrets)
{
    bool wanted = secrets->wanted != NULL;
    secrets->wanted = NULL;
    return wanted;
}
