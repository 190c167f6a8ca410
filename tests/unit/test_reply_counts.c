// What `show protocols all` counts of a channel: while the number made of it stands still, nothing
// has come or gone.
#include "birdctl/reply.h"

#include "tests/unit/small_config.h"

TEST(what_a_channel_has_carried_is_the_last_column_of_its_rows)
{
    struct bird_line once = line_of(1006, "     Import updates:     4     0     0     0     1");
    struct bird_line twice = line_of(1006, "     Import updates:     4     0     0     0     2");
    struct bird_line refused = line_of(1006, "     Import updates:     5     0     0     1     1");
    assert_int_not_equal(bird_imported(0, &once), 0);
    assert_int_not_equal(bird_imported(0, &once), bird_imported(0, &twice));
    assert_int_equal(bird_imported(0, &once), bird_imported(0, &refused));
}

TEST(what_is_withdrawn_counts_as_well)
{
    struct bird_line came = line_of(1006, "     Import updates:     4     0     0     0     1");
    struct bird_line none = line_of(1006, "     Import withdraws:   0     0   ---     0     0");
    struct bird_line went = line_of(1006, "     Import withdraws:   1     0   ---     0     1");
    uint64_t so_far = bird_imported(0, &came);
    assert_int_not_equal(bird_imported(so_far, &went), bird_imported(so_far, &none));
}

TEST(the_other_way_is_another_number)
{
    struct bird_line in = line_of(1006, "     Import updates:     4     0     0     0     1");
    struct bird_line out = line_of(1006, "     Export updates:     4     1     3     0     1");
    assert_int_equal(bird_imported(7, &out), 7);
    assert_int_equal(bird_exported(7, &in), 7);
    assert_int_not_equal(bird_exported(7, &out), 7);
}
