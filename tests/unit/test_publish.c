// Snapshots from one writer to many readers. What is freed too early is found by the sanitizers
// (address, thread), and without them by what is written over it here.

#include "dns/responder/publish.h"

#include "tests/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pthread.h>
#include <sched.h>

#define SERVICES 50
#define READERS  4
#define ROUNDS   1000000

struct world {
    struct zone *zone;
    struct publisher *publisher;
};

static int begin(void **state)
{
    static struct world world;
    struct zone_conf conf = {.id = "fra1", .region = ""};
    world.zone = zone_new(&conf);
    world.publisher = publisher_new();
    *state = &world;
    return world.zone != NULL && world.publisher != NULL ? 0 : -1;
}

static int end(void **state)
{
    struct world *world = *state;
    publisher_free(world->publisher);
    zone_free(world->zone);
    return 0;
}

TEST_FIXTURE(begin, end);

// All of it says the same number.
static struct dns_snapshot *make(struct world *world, uint64_t number)
{
    struct dns_snapshot *snapshot = dns_snapshot_new(world->zone, SERVICES);
    assert_non_null(snapshot);
    snapshot->counts[0] = snapshot->counts[2] = number;
    for (size_t i = 0; i < SERVICES; i++) {
        snapshot->services[i].target = (uint8_t)number;
    }
    return snapshot;
}

static bool is_whole(const struct dns_snapshot *snapshot)
{
    uint64_t number = snapshot->counts[0];
    bool same = snapshot->counts[2] == number && snapshot->service_count == SERVICES;
    for (size_t i = 0; same && i < SERVICES; i++) {
        same = snapshot->services[i].target == (uint8_t)number;
    }
    return same;
}

TEST(before_the_first_there_is_none)
{
    struct world *world = *state;
    struct dns_hold hold = {.next = NULL};
    publisher_add(world->publisher, &hold);
    assert_null(hold_take(world->publisher, &hold));
    hold_release(&hold);
    publisher_remove(world->publisher, &hold);
}

TEST(when_it_was_taken_back_there_is_none_again)
{
    struct world *world = *state;
    struct dns_hold hold = {.held = NULL};
    publisher_add(world->publisher, &hold);
    publisher_publish(world->publisher, make(world, 1));
    const struct dns_snapshot *held = hold_take(world->publisher, &hold);
    publisher_publish(world->publisher, NULL);
    assert_true(is_whole(held)); // whoever reads it may go on
    hold_release(&hold);
    assert_null(hold_take(world->publisher, &hold));
    publisher_publish(world->publisher, make(world, 2));
    assert_int_equal(hold_take(world->publisher, &hold)->counts[0], 2);
    hold_release(&hold);
    publisher_remove(world->publisher, &hold);
}

TEST(a_new_snapshot_has_no_state_but_its_services_count)
{
    struct world *world = *state;
    struct dns_snapshot *snapshot = dns_snapshot_new(world->zone, 2);
    assert_int_equal(snapshot->service_count, 2);
    assert_int_equal(snapshot->services[1].state, DNS_STATE_NORMAL);
    assert_int_equal(snapshot->services[1].text_length, 0);
    dns_snapshot_free(snapshot);
}

TEST(who_takes_gets_the_last)
{
    struct world *world = *state;
    struct dns_hold hold = {.next = NULL};
    publisher_add(world->publisher, &hold);
    for (uint64_t i = 1; i <= 3; i++) {
        publisher_publish(world->publisher, make(world, i));
        assert_int_equal(hold_take(world->publisher, &hold)->counts[0], i);
        hold_release(&hold);
    }
    publisher_remove(world->publisher, &hold);
}

TEST(what_is_held_stays_while_others_come_and_go)
{
    struct world *world = *state;
    struct dns_hold slow = {.next = NULL}, quick = {.next = NULL};
    publisher_add(world->publisher, &slow);
    publisher_add(world->publisher, &quick);
    publisher_publish(world->publisher, make(world, 7));
    const struct dns_snapshot *held = hold_take(world->publisher, &slow);
    for (uint64_t i = 100; i < 200; i++) {
        publisher_publish(world->publisher, make(world, i));
        assert_int_equal(hold_take(world->publisher, &quick)->counts[0], i);
        assert_int_equal(held->counts[0], 7);
        assert_true(is_whole(held));
    }
    hold_release(&slow);
    hold_release(&quick);
    publisher_remove(world->publisher, &quick);
    publisher_remove(world->publisher, &slow);
}

TEST(the_zone_outlives_whoever_made_it)
{
    struct world *world = *state;
    publisher_publish(world->publisher, make(world, 1));
    zone_free(world->zone);
    struct dns_hold hold = {.next = NULL};
    publisher_add(world->publisher, &hold);
    struct dns_name name = {.length = 11, .wire = "\2id\6server"};
    const struct dns_snapshot *held = hold_take(world->publisher, &hold);
    assert_non_null(zone_find(held->zone, &name, DNS_CLASS_CH).node);
    world->zone = zone_share(held->zone);
    hold_release(&hold);
    publisher_remove(world->publisher, &hold);
}

// ---- Readers and writer at full speed

struct reader {
    struct world *world;
    struct dns_hold hold;
    pthread_t thread;
    _Atomic uint64_t taken;
    uint64_t torn, backward;
};

static _Atomic bool over;

static void *read_on(void *arg)
{
    struct reader *reader = arg;
    uint64_t last = 0;
    while (!atomic_load(&over)) {
        const struct dns_snapshot *snapshot = hold_take(reader->world->publisher, &reader->hold);
        reader->torn += !is_whole(snapshot);
        reader->backward += snapshot->counts[0] < last;
        last = snapshot->counts[0];
        hold_release(&reader->hold);
        atomic_fetch_add(&reader->taken, 1);
    }
    return NULL;
}

TEST(readers_never_see_two_snapshots_in_one_nor_an_older_one)
{
    struct world *world = *state;
    struct reader readers[READERS] = {{.world = NULL}};
    atomic_store(&over, false);
    publisher_publish(world->publisher, make(world, 1));
    for (size_t i = 0; i < READERS; i++) {
        readers[i].world = world;
        publisher_add(world->publisher, &readers[i].hold);
        assert_int_equal(pthread_create(&readers[i].thread, NULL, read_on, &readers[i]), 0);
    }
    for (size_t i = 0; i < READERS; i++) { // all run
        while (atomic_load(&readers[i].taken) == 0) {
            sched_yield();
        }
    }
    for (uint64_t i = 2; i < ROUNDS; i++) {
        publisher_publish(world->publisher, make(world, i));
    }
    atomic_store(&over, true);
    for (size_t i = 0; i < READERS; i++) {
        pthread_join(readers[i].thread, NULL);
        publisher_remove(world->publisher, &readers[i].hold);
        assert_int_equal(readers[i].torn, 0);
        assert_int_equal(readers[i].backward, 0);
    }
}
