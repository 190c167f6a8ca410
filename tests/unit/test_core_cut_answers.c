// BIRD's lists of protocols that end in the midst: what they show counts, and the rest is asked
// for.
#include "tests/unit/core_world.h"

TEST_FIXTURE(start, stop);

static void withdrawn_and_switched_on_by_hand(void)
{
    running(ONE_PROBE DNS_NEEDS_A);
    say(A, "!");
    settle();
    pass_ms(1000);
    assert_false(*bird_protocol("popgate_dns_v4"));
    *bird_protocol("popgate_dns_v4") = true;
}

TEST(what_is_seen_on_is_switched_off_at_once_though_the_list_ends_after_it)
{
    withdrawn_and_switched_on_by_hand();
    bird.cuts = 1;
    bird.cut_rows = bird.count;
    core_echo(core, "Reconfiguring", now_ns);
    settle();
    assert_false(*bird_protocol("popgate_dns_v4"));
}

TEST(what_a_list_did_not_come_to_is_asked_for_soon)
{
    withdrawn_and_switched_on_by_hand();
    bird.cuts = 1;
    core_echo(core, "Reconfiguring", now_ns);
    settle();
    assert_true(*bird_protocol("popgate_dns_v4"));
    pass_ms(50);
    assert_false(*bird_protocol("popgate_dns_v4"));
}

TEST(what_a_look_at_one_service_did_not_come_to_is_asked_for_soon)
{
    withdrawn_and_switched_on_by_hand();
    bird.cuts = 1;
    core_echo(core, "Enabling popgate_dns_v4", now_ns);
    settle();
    assert_true(*bird_protocol("popgate_dns_v4"));
    pass_ms(50);
    assert_false(*bird_protocol("popgate_dns_v4"));
}

TEST(a_bird_whose_lists_all_end_in_the_midst_is_not_asked_without_end)
{
    withdrawn_and_switched_on_by_hand();
    bird.cuts = 1000;
    core_echo(core, "Reconfiguring", now_ns);
    settle();
    for (unsigned i = 0; i < 50; i++) {
        pass_ms(10);
    }
    assert_true(bird.cuts >= 998);
}
