// See gather.h.
#include "controller/daemon/gather.h"

#include "base/clock.h"

// However long it takes: its end counts, or each of those that came meanwhile would be a work.
static void work(struct gather *gather, uint64_t now_ns)
{
    gather->due = false;
    gather->worked_ns = now_ns;
    gather->work(gather->arg);
    gather->worked_ns = uv_hrtime();
}

static void end_phase(struct gather *gather)
{
    if (gather->due) {
        work(gather, uv_hrtime());
    }
    gather->worked_ns = 0;
}

static void on_before(uv_prepare_t *before)
{
    end_phase(before->data);
}

static void on_after(uv_check_t *after)
{
    end_phase(after->data);
}

void gather_open(struct gather *gather, uv_loop_t *loop)
{
    uv_prepare_init(loop, &gather->before);
    uv_check_init(loop, &gather->after);
    gather->before.data = gather->after.data = gather;
    uv_prepare_start(&gather->before, on_before);
    uv_check_start(&gather->after, on_after);
    uv_unref((uv_handle_t *)&gather->before);
    uv_unref((uv_handle_t *)&gather->after);
}

void gather_close(struct gather *gather)
{
    uv_close((uv_handle_t *)&gather->before, NULL);
    uv_close((uv_handle_t *)&gather->after, NULL);
}

void gather_input(struct gather *gather)
{
    uint64_t now_ns = uv_hrtime();
    if (gather->worked_ns == 0 || now_ns - gather->worked_ns >= GATHER_MS * NS_PER_MS) {
        work(gather, now_ns);
    } else {
        gather->due = true;
    }
}
