#include "tests/sim/line.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// As in birdctl/session.c and daemon.c.
#define WINDOW_BYTES        960
#define WINDOW_BYTES_NORMAL (WINDOW_BYTES - 256)
#define DEADLINE_NS         (1000 * NS_PER_MS)
#define GIVE_UP_NS          (30000 * NS_PER_MS)

static struct line_command *lane_add(struct lane *lane)
{
    if (lane->count == LINE_ROOM) {
        abort();
    }
    return &lane->items[(lane->first + lane->count++) % LINE_ROOM];
}

static struct line_command *lane_first(struct lane *lane)
{
    return &lane->items[lane->first];
}

static void lane_drop(struct lane *lane)
{
    lane->first = (lane->first + 1) % LINE_ROOM;
    lane->count--;
}

void line_begin(struct line *line, uint64_t at_ns)
{
    line->state = LINE_RESTING;
    line->told = BIRD_LINK_DOWN;
    line->reason[0] = '\0';
    line->act_at_ns = at_ns;
    line->urgent.count = line->normal.count = line->written.count = 0;
    line->bytes = 0;
}

static void write_lane(struct line *line, struct lane *lane, size_t window, struct dice *dice,
                       uint64_t slow_ns, uint64_t now_ns)
{
    while (lane->count > 0 && line->written.count < LINE_WINDOW &&
           line->bytes + strlen(lane_first(lane)->text) + 1 <= window) {
        struct line_command *command = lane_add(&line->written);
        *command = *lane_first(lane);
        lane_drop(lane);
        line->bytes += strlen(command->text) + 1;
        command->written_ns = now_ns;
        command->at_ns = now_ns + (slow_ns > 0 ? dice_below(dice, slow_ns) : dice_ms(dice, 0, 1));
    }
}

static void pump(struct line *line, struct dice *dice, uint64_t slow_ns, uint64_t now_ns)
{
    if (line->state == LINE_READY) {
        write_lane(line, &line->urgent, WINDOW_BYTES, dice, slow_ns, now_ns);
        if (line->urgent.count == 0) {
            write_lane(line, &line->normal, WINDOW_BYTES_NORMAL, dice, slow_ns, now_ns);
        }
    }
}

bool line_send(struct line *line, struct dice *dice, uint64_t slow_ns, const struct order *order,
               uint64_t now_ns)
{
    if (line->told == BIRD_LINK_DOWN) {
        return false;
    }
    struct line_command *command = lane_add(order->urgent ? &line->urgent : &line->normal);
    command->token = order->token;
    memcpy(command->text, order->command, sizeof command->text);
    pump(line, dice, slow_ns, now_ns);
    return true;
}

size_t line_outstanding(const struct line *line)
{
    return line->urgent.count + line->normal.count + line->written.count;
}

static void tell(struct line *line, enum bird_link state, const char *reason,
                 const struct line_events *events, void *arg)
{
    if (line->told != state || strcmp(line->reason, reason) != 0) {
        line->told = state;
        snprintf(line->reason, sizeof line->reason, "%s", reason);
        events->link(arg, state, line->reason);
    }
}

static void lose_lane(struct lane *lane, const struct line_events *events, void *arg)
{
    while (lane->count > 0) {
        uint64_t token = lane_first(lane)->token;
        lane_drop(lane);
        events->end(arg, token, BIRD_END_LOST, 0, "");
    }
}

static void drop(struct line *line, const char *reason, struct dice *dice, uint64_t now_ns,
                 const struct line_events *events, void *arg)
{
    line->state = LINE_RESTING;
    line->act_at_ns = now_ns + dice_ms(dice, 20, 500);
    line->bytes = 0;
    tell(line, BIRD_LINK_DOWN, reason, events, arg);
    lose_lane(&line->written, events, arg);
    lose_lane(&line->urgent, events, arg);
    lose_lane(&line->normal, events, arg);
}

void line_lost(struct line *line, struct dice *dice, uint64_t now_ns,
               const struct line_events *events, void *arg)
{
    if (line->state != LINE_RESTING) {
        drop(line, "BIRD closed the connection", dice, now_ns, events, arg);
    }
}

static bool is_awaiting(const struct line *line)
{
    return line->state == LINE_GREETING || (line->state == LINE_READY && line->written.count > 0);
}

static uint64_t deadline_ns(const struct line *line)
{
    uint64_t since_ns = line->heard_ns;
    uint64_t written_ns =
        line->written.count > 0 ? line->written.items[line->written.first].written_ns : 0;
    since_ns = written_ns > since_ns ? written_ns : since_ns;
    return since_ns + DEADLINE_NS + (line->told == BIRD_LINK_SILENT ? GIVE_UP_NS : 0);
}

uint64_t line_next_ns(const struct line *line, const struct model *model)
{
    uint64_t at_ns = line->state == LINE_RESTING ? line->act_at_ns : NEVER_NS;
    if (is_awaiting(line)) {
        at_ns = deadline_ns(line);
        uint64_t answer_ns = line->state == LINE_GREETING
                                 ? line->act_at_ns
                                 : line->written.items[line->written.first].at_ns;
        at_ns = !model->hung && answer_ns < at_ns ? answer_ns : at_ns;
    }
    return at_ns;
}

static void connect_line(struct line *line, const struct model *model, struct dice *dice,
                         uint64_t now_ns, const struct line_events *events, void *arg)
{
    if (!model->running) {
        line->act_at_ns = now_ns + dice_ms(dice, 20, 500);
        tell(line, BIRD_LINK_DOWN, "can't connect", events, arg);
        return;
    }
    line->state = LINE_GREETING;
    line->heard_ns = now_ns;
    line->act_at_ns = now_ns + dice_ms(dice, 0, 1);
}

static void hear_nothing(void *arg, const struct bird_line *line)
{
    (void)arg;
    (void)line;
}

// Nobody waits for the answers to the first count commands any more, but BIRD has read them.
static void leave(const struct line *line, struct model *model, struct orphans *orphans,
                  size_t count)
{
    for (size_t i = 0; i < count && model->running; i++) {
        const char *text = line->written.items[(line->written.first + i) % LINE_ROOM].text;
        if (!model->hung) {
            model_do(model, text, hear_nothing, NULL);
        } else if (orphans->count < LINE_ROOM) {
            memcpy(orphans->texts[orphans->count++], text, BIRD_COMMAND_MAX);
        }
    }
}

static void out_of_patience(struct line *line, struct model *model, struct orphans *orphans,
                            struct dice *dice, uint64_t now_ns, const struct line_events *events,
                            void *arg)
{
    if (line->told != BIRD_LINK_SILENT) {
        tell(line, BIRD_LINK_SILENT, "BIRD has said nothing for 1000 ms", events, arg);
        return;
    }
    leave(line, model, orphans, line->written.count); // what is in BIRD's buffer stays there
    drop(line, "BIRD has said nothing for 31000 ms", dice, now_ns, events, arg);
}

struct hearing {
    const struct line_events *events;
    void *arg;
    uint64_t token;
};

static void hear(void *arg, const struct bird_line *line)
{
    struct hearing *hearing = arg;
    hearing->events->line(hearing->arg, hearing->token, line);
    if (line->kind == BIRD_LAST) {
        hearing->events->end(hearing->arg, hearing->token, BIRD_END_REPLY, line->code, line->text);
    }
}

static void speak(struct line *line, struct model *model, struct dice *dice, uint64_t slow_ns,
                  uint64_t now_ns, const struct line_events *events, void *arg)
{
    bool greets = line->state == LINE_GREETING;
    line->state = LINE_READY;
    line->heard_ns = now_ns;
    tell(line, BIRD_LINK_UP, "", events, arg);
    if (!greets) {
        struct line_command command = *lane_first(&line->written);
        lane_drop(&line->written);
        line->bytes -= strlen(command.text) + 1;
        struct hearing hearing = {events, arg, command.token};
        model_do(model, command.text, hear, &hearing);
    }
    pump(line, dice, slow_ns, now_ns);
}

void line_step(struct line *line, struct model *model, struct orphans *orphans, struct dice *dice,
               uint64_t slow_ns, uint64_t now_ns, const struct line_events *events, void *arg)
{
    if (line->state == LINE_RESTING) {
        connect_line(line, model, dice, now_ns, events, arg);
    } else if (now_ns >= deadline_ns(line)) {
        out_of_patience(line, model, orphans, dice, now_ns, events, arg);
    } else {
        speak(line, model, dice, slow_ns, now_ns, events, arg);
    }
}

void line_abandon(struct line *line, struct model *model, struct orphans *orphans,
                  struct dice *dice, bool all)
{
    size_t count = 0;
    while (count < line->written.count && (all || dice_chance(dice, 80))) {
        count++;
    }
    leave(line, model, orphans, count);
    line_begin(line, NEVER_NS);
}

void orphans_do(struct orphans *orphans, struct model *model)
{
    for (size_t i = 0; i < orphans->count; i++) {
        model_do(model, orphans->texts[i], hear_nothing, NULL);
    }
    orphans->count = 0;
}
