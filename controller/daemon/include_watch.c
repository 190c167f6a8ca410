#include "controller/daemon/include_watch.h"

#include <string.h>

// Else there is nothing to be said.
static bool is_settled(const struct include_watch *watch)
{
    const struct include *include = watch->include(watch->arg);
    return include != NULL && include_is_saved(include);
}

// Our own saves come here too, and find what they wrote.
static void on_changed(uv_fs_event_t *handle, const char *name, int events, int status)
{
    const struct include_watch *watch = handle->data;
    (void)events;
    if (status != 0 || name == NULL || strcmp(name, BIRDCONF_FILE) != 0) {
        return;
    }
    if (is_settled(watch)) {
        birdconf_worker_look(watch->worker, BIRDCONF_LOOK_WHOLE);
    }
}

int include_watch_start(struct include_watch *watch, uv_loop_t *loop, const char *runtime_dir)
{
    uv_fs_event_init(loop, &watch->changed);
    watch->changed.data = watch;
    return uv_fs_event_start(&watch->changed, on_changed, runtime_dir, 0);
}

void include_watch_close(struct include_watch *watch)
{
    uv_close((uv_handle_t *)&watch->changed, NULL);
}

void include_watch_look(const struct include_watch *watch)
{
    if (is_settled(watch)) {
        birdconf_worker_look(watch->worker, BIRDCONF_LOOK_THERE);
    }
}

void include_watch_found(const struct include_watch *watch)
{
    if (is_settled(watch)) {
        watch->foreign(watch->arg);
    }
}
