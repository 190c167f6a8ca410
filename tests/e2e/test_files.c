// The ledger on disks that fail, and after somebody damaged it.
#include "tests/lab/disk.h"
#include "tests/lab/pop.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

static bool output_has(const char *text)
{
    return strstr(pop_output, text) != NULL;
}

static void unmount_state(void *arg)
{
    umount2(arg, MNT_DETACH);
}

// A small file system of its own for state_dir.
static struct pop pop_with_small_disk(char state_dir[LAB_PATH_MAX])
{
    struct pop pop = pop_make(&(struct pop_options){0});

    lab_path(pop.node, "state", state_dir);
    if (mount("small", state_dir, "tmpfs", 0, "size=64k") != 0) {
        lab_fail("mount a tmpfs on %s: %s", state_dir, strerror(errno));
    }
    lab_at_clear(unmount_state, state_dir);
    pop_run(&pop, POP_USUAL);
    POP_WAIT_ANNOUNCED(&pop);
    return pop;
}

static void fill_disk(const struct pop *pop)
{
    static const char block[4096];
    char path[LAB_PATH_MAX];
    int fd = open(lab_path(pop->node, "state/ballast", path),
                  O_WRONLY | O_CREAT | O_CLOEXEC | O_TRUNC, 0644);

    assert_true(fd >= 0);
    while (write(fd, block, sizeof block) > 0) {
    }
    assert_int_equal(errno, ENOSPC);
    close(fd);
}

LAB_TEST(a_drain_on_a_full_disk_is_refused_and_changes_nothing)
{
    static char state_dir[LAB_PATH_MAX];
    char path[LAB_PATH_MAX];
    struct pop pop = pop_with_small_disk(state_dir);

    fill_disk(&pop);
    POP_COMMAND(&pop, 1, "drain", "dns", "--now");
    assert_true(output_has("No space left on device") || output_has("no space left on device"));
    assert_true(output_has("ledger"));
    assert_true(pop_says(&pop, "services dns intent kind", "auto"));
    assert_true(pop_says_part(&pop, "ledger_trouble", "space left"));
    POP_HISTORY(&pop, 0, "A");

    unlink(lab_path(pop.node, "state/ballast", path));
    POP_COMMAND(&pop, 0, "drain", "dns", "--now", "--wait");
    assert_true(pop_says(&pop, "ledger_trouble", ""));
    POP_HISTORY(&pop, 0, "AW");
}

// Else a start with a broken file would announce what was removed since.
LAB_TEST(a_configuration_that_could_not_be_kept_is_told_and_kept_when_there_is_room)
{
    static char state_dir[LAB_PATH_MAX];
    char path[LAB_PATH_MAX];
    struct pop pop = pop_with_small_disk(state_dir);

    LAB_WAIT(access(lab_path(pop.node, "state/popgate.conf.worked", path), R_OK) == 0,
             "what works to be kept", POP_WAIT_MS);
    fill_disk(&pop);
    pop_write(&pop, POP_USUAL "# a newer one\n");
    POP_COMMAND(&pop, 0, "reload");
    LAB_WAIT((lab_popgate(pop.node, pop_output, LAB_ARGV("check")) == 1 &&
              output_has("popgate.conf.worked")),
             "a warning", POP_WAIT_MS);
    unlink(lab_path(pop.node, "state/ballast", path));
    LAB_WAIT(lab_popgate(pop.node, pop_output, LAB_ARGV("check")) == 0, "it to be kept",
             POP_WAIT_MS);
    lab_path(pop.node, "state/popgate.conf.worked", path);
    assert_int_equal(lab_run(pop.node, LAB_ARGV("grep", "-q", "a newer one", path), NULL, 0), 0);
}

LAB_TEST(a_drain_on_a_read_only_disk_is_refused_and_changes_nothing)
{
    static char state_dir[LAB_PATH_MAX];
    struct pop pop = pop_with_small_disk(state_dir);

    assert_int_equal(mount(NULL, state_dir, NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
    POP_COMMAND(&pop, 1, "drain", "dns");
    assert_true(output_has("Read-only file system") || output_has("read-only file system"));
    assert_true(pop_says(&pop, "services dns intent kind", "auto"));
    POP_HISTORY(&pop, 0, "A");

    // A withdrawal needs no disk.
    lab_kill(pop.unbound);
    POP_WAIT_WITHDRAWN(&pop);
}

// Containment comes first: it is done, and it is said that it would not outlive a restart.
LAB_TEST(an_isolation_on_a_full_disk_is_done_all_the_same)
{
    static char state_dir[LAB_PATH_MAX];
    struct pop pop = pop_with_small_disk(state_dir);

    fill_disk(&pop);
    POP_COMMAND(&pop, 1, "isolate", "dns");
    assert_true(output_has("restart"));
    POP_WAIT_WITHDRAWN(&pop);
    assert_true(pop_says(&pop, "services dns intent kind", "isolate"));
}

// ---- Damage

static size_t files_beginning_with(const struct pop *pop, const char *directory, const char *begin)
{
    char path[LAB_PATH_MAX];
    DIR *dir = opendir(lab_path(pop->node, directory, path));
    struct dirent *entry;
    size_t count = 0;

    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL) {
        count += strncmp(entry->d_name, begin, strlen(begin)) == 0;
    }
    closedir(dir);
    return count;
}

static void assert_damage_is_treated_as_drained(const char *ledger)
{
    struct pop pop = pop_make(&(struct pop_options){0});

    lab_write(pop.node, "state/ledger.json", ledger);
    pop_run(&pop, POP_USUAL);
    POP_WAIT_SAYS(&pop, "services dns allowed", "announce"); // the probes would have it
    assert_true(pop_says(&pop, "services dns intent kind", "drain"));
    assert_true(pop_says(&pop, "services dns intent by", "popgated"));
    assert_true(pop_says(&pop, "services dns target", "withdraw"));
    POP_COMMAND(&pop, 0, "status");
    assert_true(output_has("ledger"));
    assert_true(files_beginning_with(&pop, "state", "ledger.json.damaged") == 1);
    POP_HISTORY(&pop, 0, "");

    POP_COMMAND(&pop, 0, "undrain", "dns");
    POP_WAIT_ANNOUNCED(&pop);
}

LAB_TEST(a_truncated_ledger_is_set_aside_and_everything_is_drained)
{
    assert_damage_is_treated_as_drained(
        "{\"version\": 1, \"services\": {\"dns\": {\"intent\": \"d");
}

LAB_TEST(a_ledger_of_garbage_is_set_aside_and_everything_is_drained)
{
    assert_damage_is_treated_as_drained("\xff\xfe\x01 not JSON at all \x7f");
}

LAB_TEST(an_empty_ledger_is_set_aside_and_everything_is_drained)
{
    assert_damage_is_treated_as_drained("");
}

LAB_TEST(damage_that_nobody_has_settled_is_still_a_drain_after_another_restart)
{
    struct pop pop = pop_make(&(struct pop_options){0});

    lab_write(pop.node, "state/ledger.json", "[]");
    pop_run(&pop, POP_USUAL);
    POP_WAIT_SAYS(&pop, "services dns intent kind", "drain");
    lab_popgated_kill(pop.popgated);
    lab_popgated_restart(pop.popgated);
    POP_WAIT_SAYS(&pop, "services dns allowed", "announce");
    assert_true(pop_says(&pop, "services dns intent kind", "drain"));
    POP_HISTORY(&pop, 0, "");
}

LAB_TEST(a_start_that_fails_leaves_the_ledger_as_it_was)
{
    char config[LAB_PATH_MAX];
    char path[LAB_PATH_MAX];
    struct pop pop = pop_make(&(struct pop_options){0});

    assert_int_equal(mkdir(lab_path(pop.node, "state/ledger.json", path), 0700), 0);
    assert_int_equal(mkdir(lab_path(pop.node, "run/popgate.sock", path), 0700), 0);
    pop_write(&pop, POP_USUAL);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(lab_run(pop.node,
                                 LAB_ARGV(lab_popgated_program(), "--config",
                                          lab_path(pop.node, "popgate.conf", config)),
                                 pop_output, sizeof pop_output),
                         1);
        assert_true(output_has("/popgate.sock"));
        assert_int_equal(files_beginning_with(&pop, "state", "ledger.json.damaged"), 0);
    }
    assert_int_equal(rmdir(path), 0);
    pop_run(&pop, POP_USUAL);
    POP_WAIT_SAYS(&pop, "services dns intent kind", "drain");
    assert_int_equal(files_beginning_with(&pop, "state", "ledger.json.damaged"), 1);
    lab_popgated_kill(pop.popgated);
    lab_popgated_restart(pop.popgated);
    POP_WAIT_SAYS(&pop, "services dns intent kind", "drain");
    assert_int_equal(files_beginning_with(&pop, "state", "ledger.json.damaged"), 1);
}

LAB_TEST(a_missing_state_directory_drains_everything)
{
    char path[LAB_PATH_MAX];
    struct pop pop = pop_make(&(struct pop_options){0});

    assert_int_equal(rmdir(lab_path(pop.node, "state", path)), 0);
    pop_run(&pop, POP_USUAL);
    POP_WAIT_SAYS(&pop, "services dns intent kind", "drain");
    POP_WAIT_SAYS(&pop, "services dns allowed", "announce");
    POP_HISTORY(&pop, 0, "");
}

// An empty file system over the ledger's is what is there before that is mounted.
LAB_TEST(a_ledger_that_is_mounted_late_counts_from_then_on)
{
    static char state_dir[LAB_PATH_MAX];
    struct pop pop = pop_with_small_disk(state_dir);

    POP_COMMAND(&pop, 0, "isolate", "dns", "--reason", "forensics");
    lab_popgated_kill(pop.popgated);
    if (mount("empty", state_dir, "tmpfs", 0, "size=64k") != 0) {
        lab_fail("mount a tmpfs on %s: %s", state_dir, strerror(errno));
    }
    lab_popgated_restart(pop.popgated);
    POP_WAIT_SAYS(&pop, "services dns allowed", "announce");
    assert_true(pop_says(&pop, "services dns intent kind", "drain"));
    assert_true(pop_says(&pop, "services dns intent by", "popgated"));
    POP_WAIT_SAYS(&pop, "services dns seen", "true");
    assert_int_equal(umount2(state_dir, MNT_DETACH), 0);
    POP_WAIT_SAYS(&pop, "services dns intent kind", "isolate");
    assert_true(pop_says(&pop, "services dns intent reason", "forensics"));
    POP_COMMAND(&pop, 0, "release", "dns");
    POP_WAIT_ANNOUNCED(&pop);
}

LAB_TEST(an_include_file_that_somebody_removes_comes_back)
{
    char path[LAB_PATH_MAX];
    struct pop pop = pop_make(&(struct pop_options){0});

    pop_run(&pop, POP_USUAL);
    POP_WAIT_ANNOUNCED(&pop);
    POP_WAIT_SAYS(&pop, "include saved", "true");
    assert_int_equal(unlink(lab_path(pop.node, "run/bird.conf", path)), 0);
    LAB_WAIT(access(path, F_OK) == 0, "the include file to be back", POP_WAIT_MS);
}

// As who moves it to another file system does: all is there, but nobody listens at the socket.
LAB_TEST(a_runtime_dir_that_is_replaced_by_its_copy_is_used_like_the_one_before)
{
    char run[LAB_PATH_MAX];
    struct pop pop = pop_make(&(struct pop_options){0});

    pop_run(&pop, POP_USUAL);
    POP_WAIT_ANNOUNCED(&pop);
    POP_WAIT_SAYS(&pop, "include saved", "true");
    assert_int_equal(lab_run(pop.node,
                             LAB_ARGV("sh", "-c", "cp -a $0 $0.new && mv $0 $0.old && mv $0.new $0",
                                      lab_path(pop.node, "run", run)),
                             NULL, 0),
                     0);
    POP_WAIT_SAYS(&pop, "services dns seen", "true");
    POP_COMMAND(&pop, 0, "drain", "dns", "--now", "--wait");
    POP_HISTORY(&pop, 0, "AW");
}

LAB_TEST(a_stop_that_could_not_save_the_include_file_is_no_success)
{
    char path[LAB_PATH_MAX];
    char aside[LAB_PATH_MAX];
    struct pop pop = pop_make(&(struct pop_options){0});

    pop_run(&pop, POP_USUAL);
    POP_WAIT_ANNOUNCED(&pop);
    POP_WAIT_SAYS(&pop, "include saved", "true");
    assert_int_equal(mkdir(lab_path(pop.node, "run/aside", aside), 0755), 0);
    assert_int_equal(renameat2(AT_FDCWD, aside, AT_FDCWD, lab_path(pop.node, "run/bird.conf", path),
                               RENAME_EXCHANGE),
                     0);
    assert_int_equal(lab_popgated_stop(pop.popgated), 1);
    POP_WAIT_WITHDRAWN(&pop);
}

// ---- A disk that hangs

#define WEB_V4 "198.51.100.80/32"
#define WEB                                                                                        \
    "[service web]\nprefixes = " WEB_V4 "\nrequire = dns4\nlast_pop_guard = off\n" POP_TIMING

LAB_TEST(withdrawals_do_not_wait_for_a_runtime_dir_that_hangs)
{
    static struct lab_disk disk;
    char file[16384];
    char path[LAB_PATH_MAX];
    struct pop pop = pop_make(&(struct pop_options){0});

    if (!lab_disk_mount(pop.node, "run", &disk)) {
        skip();
    }
    pop_run(&pop, POP_USUAL WEB);
    lab_disk_thaw_at_clear(&disk);
    POP_WAIT_ANNOUNCED(&pop);
    LAB_WAIT(tap_has(pop.tap, WEB_V4), "the other service", POP_WAIT_MS);
    POP_WAIT_SAYS(&pop, "include saved", "true");
    if (!lab_disk_freeze(&disk)) {
        skip();
    }
    POP_COMMAND(&pop, 0, "isolate", "web");
    LAB_WAIT(!tap_has(pop.tap, WEB_V4), "the first withdrawal", POP_WAIT_MS);
    lab_kill(pop.unbound);
    POP_WAIT_WITHDRAWN(&pop);
    assert_true(pop_says(&pop, "include saved", "false"));

    lab_disk_thaw(&disk);
    POP_WAIT_SAYS(&pop, "include saved", "true");
    FILE *in = fopen(lab_path(pop.node, "run/bird.conf", path), "re");
    assert_non_null(in);
    file[fread(file, 1, sizeof file - 1, in)] = '\0';
    fclose(in);
    assert_null(strstr(file, "disabled off"));
}
