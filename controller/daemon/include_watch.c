#include "controller/daemon/include_watch.h"
#include "controller/daemon/birdconf_file.h"

#include <stdio.h>
#include <string.h>

// NULL: there is nothing to be said.
static const struct include *settled(const struct include_watch *watch)
{
    const struct include *include = watch->include(watch->arg);
    return include != NULL && include_is_saved(include) ? include : NULL;
}

// Our own saves come here too, and find what they wrote.
static void on_changed(uv_fs_event_t *handle, const char *name, int events, int status)
{
    const struct include_watch *watch = handle->data;
    (void)events;
    if (status != 0 || name == NULL || strcmp(name, BIRDCONF_FILE) != 0) {
        return;
    }
    const struct include *include = settled(watch);
    if (include != NULL && !birdconf_is_saved(include_file(include), watch->directory)) {
        watch->foreign(watch->arg);
    }
}

int include_watch_start(struct include_watch *watch, uv_loop_t *loop, const char *runtime_dir)
{
    snprintf(watch->directory, sizeof watch->directory, "%s", runtime_dir);
    uv_fs_event_init(loop, &watch->changed);
    watch->changed.data = watch;
    return uv_fs_event_start(&watch->changed, on_changed, watch->directory, 0);
}

void include_watch_close(struct include_watch *watch)
{
    uv_close((uv_handle_t *)&watch->changed, NULL);
}

void include_watch_look(const struct include_watch *watch)
{
    const struct include *include = settled(watch);
    if (include != NULL && include_file(include) != NULL && !birdconf_exists(watch->directory)) {
        watch->foreign(watch->arg);
    }
}
