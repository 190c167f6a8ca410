// Which files are trusted with a secret, and what becomes of it.
#include "probes/secret.h"

#include "tests/test.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

struct world {
    struct secret secret;
    char directory[32], path[64];
    char error[ERROR_MAX];
};

static void write_file(const struct world *world, const void *bytes, size_t length)
{
    unlink(world->path); // so that it is another file, whatever the clock's grain
    int fd = open(world->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, length), length);
    assert_int_equal(close(fd), 0);
}

static int set_up(void **state)
{
    struct world *world = calloc(1, sizeof *world);
    assert_non_null(world);
    snprintf(world->directory, sizeof world->directory, "/tmp/secret-XXXXXX");
    assert_non_null(mkdtemp(world->directory));
    snprintf(world->path, sizeof world->path, "%s/secret", world->directory);
    write_file(world, "tell nobody\n", 12);
    *state = world;
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;
    secret_drop(&world->secret);
    unlink(world->path);
    rmdir(world->directory);
    free(world);
    prctl(PR_SET_DUMPABLE, 1L, 0L, 0L, 0L);
    return 0;
}

TEST_FIXTURE(set_up, tear_down);

static int load(struct world *world)
{
    return secret_load(&world->secret, world->path, world->error);
}

static void assert_refused(struct world *world, const char *why)
{
    assert_int_equal(load(world), -1);
    assert_null(world->secret.text);
    assert_non_null(strstr(world->error, world->path));
    if (strstr(world->error, why) == NULL) {
        fail_msg("%s", world->error);
    }
    assert_null(strstr(world->error, "nobody"));
}

TEST(a_line_is_read_without_its_end)
{
    struct world *world = *state;
    assert_int_equal(load(world), 0);
    assert_string_equal(world->secret.text, "tell nobody");
    assert_int_equal(world->secret.length, 11);
}

TEST(the_group_may_read_and_nobody_else_anything)
{
    static const struct {
        mode_t mode;
        const char *why; // NULL: it is trusted
    } cases[] = {
        {0600, NULL},
        {0400, NULL},
        {0640, NULL},
        {0440, NULL},
        {0644, "others may read it"},
        {0602, "others may read it"},
        {0601, "others may read it"},
        {0660, "its group may write it"},
    };
    struct world *world = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(chmod(world->path, cases[i].mode), 0);
        if (cases[i].why != NULL) {
            assert_refused(world, cases[i].why);
        } else {
            assert_int_equal(load(world), 0);
        }
    }
}

TEST(a_file_of_somebody_else_is_refused)
{
    struct world *world = *state;
    if (chown(world->path, 65534, 65534) != 0) {
        skip(); // only root can give files away
    }
    assert_refused(world, "belongs neither to root nor to the user of popgated");
}

TEST(a_secret_in_use_is_dropped_when_its_file_can_no_longer_be_trusted)
{
    struct world *world = *state;
    assert_int_equal(load(world), 0);
    chmod(world->path, 0644);
    assert_refused(world, "others may read it");
    unlink(world->path);
    assert_refused(world, "No such file or directory");
}

TEST(a_changed_file_is_read_again_and_an_unchanged_one_is_not)
{
    struct world *world = *state;
    assert_int_equal(load(world), 0);
    const char *text = world->secret.text;
    assert_int_equal(load(world), 0);
    assert_ptr_equal(world->secret.text, text);
    write_file(world, "another", 7);
    assert_int_equal(load(world), 0);
    assert_string_equal(world->secret.text, "another");
}

TEST(several_lines_are_read_where_they_may_be)
{
    struct world *world = *state;
    write_file(world, "tell\tone\r\ntell nobody\n", 22);
    assert_int_equal(secret_load_lines(&world->secret, world->path, world->error), 0);
    assert_string_equal(world->secret.text, "tell\tone\r\ntell nobody");
    write_file(world, "tell\0nobody\n", 12);
    assert_int_equal(secret_load_lines(&world->secret, world->path, world->error), -1);
    assert_non_null(strstr(world->error, "it is not text"));
}

TEST(a_secret_is_a_file_or_a_credential)
{
    struct world *world = *state;
    char path[SECRET_PATH_MAX];
    char directory[SECRET_PATH_MAX];
    unsetenv("CREDENTIALS_DIRECTORY");
    assert_int_equal(secret_path("/a/b", "", path, world->error), 0);
    assert_string_equal(path, "/a/b");
    assert_int_equal(secret_path("", "key", path, world->error), -1);
    assert_non_null(strstr(world->error, "LoadCredential=key"));
    setenv("CREDENTIALS_DIRECTORY", "/run/credentials/popgated.service", 1);
    assert_int_equal(secret_path("", "key", path, world->error), 0);
    assert_string_equal(path, "/run/credentials/popgated.service/key");
    memset(directory, 'x', sizeof directory);
    directory[sizeof directory - 1] = '\0';
    setenv("CREDENTIALS_DIRECTORY", directory, 1);
    assert_int_equal(secret_path("", "key", path, world->error), -1);
    assert_non_null(strstr(world->error, "too long"));
    unsetenv("CREDENTIALS_DIRECTORY");
}

TEST(what_is_no_single_line_is_refused)
{
    static char large[SECRET_MAX + 2];
    struct world *world = *state;
    write_file(world, "", 0);
    assert_refused(world, "it is empty");
    write_file(world, "\n\r\n", 3);
    assert_refused(world, "it is empty");
    write_file(world, "two\nnobody\n", 11);
    assert_refused(world, "more than one line");
    write_file(world, "nobody\0x", 8);
    assert_refused(world, "more than one line");
    memset(large, 'x', sizeof large);
    write_file(world, large, sizeof large);
    assert_refused(world, "larger than 16384 bytes");
    write_file(world, large, SECRET_MAX);
    assert_int_equal(load(world), 0);
    assert_int_equal(world->secret.length, SECRET_MAX);
}

TEST(what_is_no_file_is_refused_at_once)
{
    struct world *world = *state;
    unlink(world->path);
    assert_int_equal(mkfifo(world->path, 0600), 0);
    assert_refused(world, "it is not a regular file");
}

TEST(a_process_with_a_secret_leaves_no_core)
{
    struct world *world = *state;
    prctl(PR_SET_DUMPABLE, 1L, 0L, 0L, 0L);
    assert_int_equal(load(world), 0);
    assert_int_equal(prctl(PR_GET_DUMPABLE, 0L, 0L, 0L, 0L), 0);
}
