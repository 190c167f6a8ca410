#include "controller/daemon/worked.h"

#include "controller/config/load.h"
#include "controller/daemon/log.h"

#include "base/file.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void path_in(const char *state_dir, char out[PATH_MAX])
{
    snprintf(out, PATH_MAX, "%s/" WORKED_FILE, state_dir);
}

static void hear_nothing(void *arg, bool error, const char *line)
{
    (void)arg, (void)error, (void)line;
}

static void log_mistake(void *arg, bool error, const char *line)
{
    (void)arg;
    log_line(error ? LOG_LEVEL_ERROR : LOG_LEVEL_WARNING, "%s", line);
}

struct config *worked_load(const char *path, const char *why, char trouble[ERROR_MAX])
{
    char worked[PATH_MAX];
    struct config *broken = config_salvage(path, hear_nothing, NULL);
    if (broken == NULL) {
        return NULL;
    }
    path_in(broken->pop.state_dir, worked);
    config_free(broken);
    struct config *config = config_load(worked, log_mistake, NULL);
    if (config == NULL) {
        log_line(LOG_LEVEL_ERROR,
                 "can't start: %s is broken, and %s, what worked last, can't be used", path,
                 worked);
        return NULL;
    }
    error_say(trouble, "%s is in use, as it worked last, and not %s: %s", worked, path, why);
    log_line(LOG_LEVEL_ERROR, "%s", trouble);
    return config;
}

struct config *worked_or_salvaged(const char *path, config_report_cb report, void *arg)
{
    char worked[PATH_MAX];
    struct config *config = config_load(path, hear_nothing, NULL);
    if (config != NULL) {
        return config;
    }
    struct config *broken = config_salvage(path, report, arg);
    if (broken == NULL) {
        return NULL;
    }
    path_in(broken->pop.state_dir, worked);
    config = config_load(worked, hear_nothing, NULL);
    if (config == NULL) {
        return broken;
    }
    config_free(broken);
    return config;
}

int worked_save(const char *state_dir, const char *text, size_t length, char error[ERROR_MAX])
{
    char path[PATH_MAX];
    char ignored[ERROR_MAX];
    char *present = NULL;
    size_t present_length = 0;
    path_in(state_dir, path);
    bool same = file_read(path, CONFIG_FILE_MAX, &present, &present_length, ignored) == 0 &&
                present_length == length && memcmp(present, text, length) == 0;
    free(present);
    return same ? 0 : file_replace(state_dir, WORKED_FILE, text, length, 0640, error);
}
