#include "controller/daemon/include_watch.h"

#include <stdio.h>
#include <string.h>

// Else there is nothing to be said.
static bool is_settled(const struct include_watch *watch)
{
    const struct include *include = watch->include(watch->arg);
    return include != NULL && include_is_saved(include);
}

static int watch_anew(struct include_watch *watch);

// Of the directory itself its own name is told: it is gone, or has another one.
static bool is_of_directory(const struct include_watch *watch, const char *name)
{
    const char *last = strrchr(watch->directory, '/');
    return last != NULL && strcmp(name, last + 1) == 0;
}

// Our own saves come here too, and find what they wrote.
static void on_changed(uv_fs_event_t *handle, const char *name, int events, int status)
{
    struct include_watch *watch = handle->data;
    (void)events;
    if (status != 0 || name == NULL) {
        return;
    }
    // Another directory may have another file; where there is none yet, the next look finds it.
    bool other = is_of_directory(watch, name) && watch_anew(watch) == 0;
    if ((other || strcmp(name, BIRDCONF_FILE) == 0) && is_settled(watch)) {
        birdconf_worker_look(watch->worker, BIRDCONF_LOOK_WHOLE);
    }
}

static int watch_anew(struct include_watch *watch)
{
    uv_fs_event_stop(&watch->changed);
    return uv_fs_event_start(&watch->changed, on_changed, watch->directory, 0);
}

int include_watch_start(struct include_watch *watch, uv_loop_t *loop, const char *runtime_dir)
{
    size_t length = strlen(runtime_dir);
    while (length > 1 && runtime_dir[length - 1] == '/') {
        length--;
    }
    snprintf(watch->directory, sizeof watch->directory, "%.*s", (int)length, runtime_dir);
    uv_fs_event_init(loop, &watch->changed);
    watch->changed.data = watch;
    return watch_anew(watch);
}

void include_watch_close(struct include_watch *watch)
{
    uv_close((uv_handle_t *)&watch->changed, NULL);
}

void include_watch_look(struct include_watch *watch)
{
    bool other = !uv_is_active((const uv_handle_t *)&watch->changed) && watch_anew(watch) == 0;
    if (is_settled(watch)) {
        birdconf_worker_look(watch->worker, other ? BIRDCONF_LOOK_WHOLE : BIRDCONF_LOOK_THERE);
    }
}

// What is not ours may be so because the whole directory is another one.
void include_watch_found(struct include_watch *watch)
{
    if (is_settled(watch)) {
        (void)watch_anew(watch);
        watch->foreign(watch->arg);
    }
}
