// Libmicrohttpd on the loop: it has its turn when its descriptor, its own time-outs or one of us
// say so.
#include "controller/api/inside.h"

static void on_http_timer(uv_timer_t *timer);

void api_run(struct api *api)
{
    MHD_UNSIGNED_LONG_LONG wait_ms;
    MHD_run(api->http);
    if (MHD_get_timeout(api->http, &wait_ms) == MHD_YES) {
        uv_timer_start(&api->http_timer, on_http_timer, wait_ms, 0);
    } else {
        uv_timer_stop(&api->http_timer);
    }
}

static void on_http_timer(uv_timer_t *timer)
{
    api_run(timer->data);
}

void api_wake(struct api *api)
{
    uv_timer_start(&api->http_timer, on_http_timer, 0, 0);
}
