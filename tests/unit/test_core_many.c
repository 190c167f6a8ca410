// Many services that die at once: what the core asks of BIRD meanwhile.
#define PROTOCOLS 120
#include "tests/unit/core_world.h"

enum { SERVICES = 60, ORDERS = 500 }; // the first is dns; more than a link is told

static void all_running(void)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    for (unsigned i = 0; i < SERVICES; i++) {
        fprintf(out,
                "[probe p%u]\ntype = tcp\ntarget = 127.0.0.1:1\n"
                "[service %s%.0u]\nprefixes = 192.0.2.%u/32\nrequire = p%u\n",
                i, i == 0 ? "dns" : "web", i, i + 1, i);
    }
    fclose(out);
    running(text);
    free(text);
}

TEST_FIXTURE(start, stop);

// What each link has been told, in this order.
static struct {
    struct order orders[ORDERS];
    size_t count, done;
} links[2];

static void take_orders(void)
{
    struct order order;
    while (core_order(core, &order)) {
        assert_true(links[order.link].count < ORDERS);
        links[order.link].orders[links[order.link].count++] = order;
    }
}

static bool answer_next(enum order_link link)
{
    bool answers = links[link].done < links[link].count;
    if (answers) {
        bird_does(&links[link].orders[links[link].done++]);
        take_orders();
    }
    return answers;
}

static size_t routes_asked(void)
{
    size_t count = 0;
    for (size_t i = 0; i < links[ORDER_LINK_ASK].count; i++) {
        count += order_kind(links[ORDER_LINK_ASK].orders[i].token) == ORDER_ROUTE;
    }
    return count;
}

TEST(while_withdrawals_wait_for_bird_it_is_asked_about_no_route)
{
    memset(links, 0, sizeof links);
    all_running();
    for (size_t i = 0; i < SERVICES; i += 2) { // who stays keeps them from being one command
        say(i, "!");
    }
    take_orders();
    assert_true(announcer_holds_back(core->announcer));
    while (announcer_holds_back(core->announcer)) {
        assert_int_equal(routes_asked(), 0);
        assert_true(answer_next(ORDER_LINK_ACT));
    }
    while (answer_next(ORDER_LINK_ACT) || answer_next(ORDER_LINK_ASK)) {
    }
    assert_true(routes_asked() >= SERVICES / 2); // but then it is
    for (size_t i = 0; i < SERVICES; i++) {
        assert_int_equal(target_of(i), i % 2 == 0 ? TARGET_WITHDRAW : TARGET_ANNOUNCE);
    }
}
