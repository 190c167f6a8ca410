// A booted systemd: see boot.h. PID 1 of namespaces of its own, with a control group of its own,
// and with what a container has of /proc, /sys and /dev.
#include "tests/lab/boot.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SYSTEMD     "/lib/systemd/systemd"
#define BOOT_MS     60000
#define END_MS      60000
#define GROUP       "popgate-lab-"
#define GROUP_OLD_S 600 // what nobody lives in after that was left by a lab that was killed

struct boot {
    struct lab_node *node;
    char root[LAB_PATH_MAX];    // the overlay
    char console[LAB_PATH_MAX]; // what PID 1 says itself
    char groups[LAB_PATH_MAX];  // the hierarchy of control groups
    char group[LAB_PATH_MAX];   // ours in it
    char boot_id[LAB_PATH_MAX];
    pid_t pid; // 0: not running
    struct lab_process *journal;
};

// ---- What it takes

static bool groups_can_be_made(const char **why)
{
    char directory[] = "/run/lab-groups-XXXXXX";
    char group[LAB_PATH_MAX];

    *why = "there is no cgroup2 to be had";
    if (mkdtemp(directory) == NULL || mount("cgroup2", directory, "cgroup2", 0, NULL) != 0) {
        rmdir(directory);
        return false;
    }
    snprintf(group, sizeof group, "%s/" GROUP "try-%d-%ld", directory, (int)getpid(),
             (long)time(NULL));
    *why = "control groups can't be made here";
    bool made = mkdir(group, 0755) == 0;
    if (made) {
        rmdir(group);
    }
    umount2(directory, MNT_DETACH);
    rmdir(directory);
    return made;
}

static bool overlay_can_be_had(const char **why)
{
    char directory[] = "/run/lab-overlay-XXXXXX";
    char options[256];

    *why = "no overlay of / can be mounted";
    if (mkdtemp(directory) == NULL) {
        return false;
    }
    snprintf(options, sizeof options, "%s/up", directory);
    mkdir(options, 0755);
    snprintf(options, sizeof options, "%s/work", directory);
    mkdir(options, 0755);
    snprintf(options, sizeof options, "lowerdir=/,upperdir=%s/up,workdir=%s/work", directory,
             directory);
    bool mounted = mount("overlay", directory, "overlay", 0, options) == 0;
    if (mounted) {
        umount2(directory, MNT_DETACH);
    }
    return mounted; // the rest goes with the lab's /run
}

const char *boot_hindrance(void)
{
    static const char *why = "";

    if (why != NULL && why[0] == '\0') {
        if (geteuid() != 0 || !lab_has_users()) {
            why = "only root can boot a systemd";
        } else if (access(SYSTEMD, X_OK) != 0) {
            why = "there is no " SYSTEMD;
        } else if (groups_can_be_made(&why) && overlay_can_be_had(&why)) {
            why = NULL;
        }
    }
    return why;
}

// ---- The tree

// What the host starts at its boot is not for us, nor are its file systems.
static const char make_tree[] =
    "set -e\n"
    "mkdir -p \"$0/up\" \"$0/work\" \"$0/root\" \"$0/cgroup\"\n"
    "mount -t overlay overlay -o \"lowerdir=/,upperdir=$0/up,workdir=$0/work\" \"$0/root\"\n"
    "mount -t cgroup2 cgroup2 \"$0/cgroup\"\n"
    "cd \"$0/root\"\n"
    "rm -rf etc/systemd/system/*.wants etc/systemd/system/*.requires etc/rc?.d etc/fstab"
    " etc/crypttab etc/popgate var/lib/popgate* var/log/journal\n"
    "rm -f etc/systemd/system/popgate* usr/sbin/policy-rc.d\n"
    "mkdir -p etc/systemd/journald.conf.d\n"
    "printf '[Journal]\\nStorage=volatile\\nRateLimitIntervalSec=0\\n'"
    " > etc/systemd/journald.conf.d/lab.conf\n"
    "tr -d - < /proc/sys/kernel/random/uuid > etc/machine-id\n"
    "for unit in console-getty.service systemd-logind.service systemd-modules-load.service"
    " systemd-sysctl.service systemd-remount-fs.service systemd-update-utmp.service"
    " systemd-update-utmp-runlevel.service systemd-journal-flush.service"
    " systemd-tmpfiles-setup-dev.service dev-hugepages.mount dev-mqueue.mount"
    " sys-kernel-debug.mount sys-kernel-tracing.mount sys-fs-fuse-connections.mount"
    " systemd-journald-audit.socket systemd-binfmt.service getty.target remote-fs.target; do\n"
    "    ln -sfn /dev/null \"etc/systemd/system/$unit\"\n"
    "done\n";

static int remove_group(const char *path, const struct stat *stat, int kind, struct FTW *where)
{
    (void)stat, (void)where;
    if (kind == FTW_DP || kind == FTW_D) {
        rmdir(path);
    }
    return 0;
}

static void remove_groups(const char *path)
{
    nftw(path, remove_group, 16, FTW_DEPTH | FTW_PHYS);
}

static bool is_populated(const char *group)
{
    char path[LAB_PATH_MAX + 256];
    char text[128] = "";

    snprintf(path, sizeof path, "%s/cgroup.events", group);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return true;
    }
    (void)!read(fd, text, sizeof text - 1);
    close(fd);
    return strstr(text, "populated 0") == NULL;
}

// A lab that is killed can't remove its group: the next one does.
static void remove_left_groups(const struct boot *boot)
{
    DIR *dir = opendir(boot->groups);
    struct dirent *entry;
    struct stat stat;
    char path[LAB_PATH_MAX + 256];

    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        snprintf(path, sizeof path, "%s/%s", boot->groups, entry->d_name);
        if (strncmp(entry->d_name, GROUP, strlen(GROUP)) == 0 && lstat(path, &stat) == 0 &&
            stat.st_mtime + GROUP_OLD_S < time(NULL) && !is_populated(path)) {
            remove_groups(path);
        }
    }
    if (dir != NULL) {
        closedir(dir);
    }
}

static void make_group(struct boot *boot)
{
    unsigned long long number = 0;
    int random = open("/dev/urandom", O_RDONLY | O_CLOEXEC);

    (void)!read(random, &number, sizeof number);
    close(random);
    lab_path(boot->node, "cgroup", boot->groups);
    remove_left_groups(boot);
    snprintf(boot->group, sizeof boot->group, "%.60s/" GROUP "%016llx", boot->groups, number);
    if (mkdir(boot->group, 0755) != 0) {
        lab_fail("make control group %s: %s", boot->group, strerror(errno));
    }
}

static void wait_till_ended(struct boot *boot)
{
    int status;

    while (waitpid(boot->pid, &status, 0) < 0 && errno == EINTR) {
    }
    boot->pid = 0;
    if (boot->journal != NULL) {
        lab_kill(boot->journal);
        boot->journal = NULL;
    }
    LAB_WAIT(!is_populated(boot->group), "the control group to be empty", END_MS);
    remove_groups(boot->group); // but for itself, if its last process still goes
    mkdir(boot->group, 0755);
}

void boot_power_cut(struct boot *boot)
{
    if (boot->pid != 0) {
        kill(boot->pid, SIGKILL);
        wait_till_ended(boot);
    }
}

static void boot_end(void *arg)
{
    struct boot *boot = arg;

    boot->journal = NULL; // made later, so gone already
    boot_power_cut(boot);
    remove_groups(boot->group);
    umount2(boot->groups, MNT_DETACH);
    umount2(boot->root, MNT_DETACH);
    free(boot);
}

struct boot *boot_make(struct lab_node *node)
{
    struct boot *boot = calloc(1, sizeof *boot);
    char output[512] = "";

    if (boot == NULL) {
        lab_fail("out of memory");
    }
    boot->node = node;
    lab_path(node, "root", boot->root);
    lab_path(node, "console.log", boot->console);
    lab_path(node, "boot_id", boot->boot_id);
    if (lab_run(node, LAB_ARGV("sh", "-c", make_tree, lab_dir(node)), output, sizeof output) != 0) {
        lab_fail("make a tree to boot: %s", output);
    }
    make_group(boot);
    lab_at_clear(boot_end, boot);
    return boot;
}

const char *boot_path(const struct boot *boot, const char *path, char out[LAB_PATH_MAX])
{
    if (snprintf(out, LAB_PATH_MAX, "%s%s", boot->root, path) >= LAB_PATH_MAX) {
        lab_fail("path %s%s is too long", boot->root, path);
    }
    return out;
}

void boot_write(const struct boot *boot, const char *path, const char *text)
{
    char in_node[LAB_PATH_MAX];

    snprintf(in_node, sizeof in_node, "root%s", path);
    lab_write(boot->node, in_node, text);
}

// ---- PID 1, between clone and exec

static void must(bool done, const char *attempted)
{
    if (!done) {
        dprintf(STDERR_FILENO, "boot: can't %s: %s\n", attempted, strerror(errno));
        _exit(127);
    }
}

static void mount_devices(void)
{
    static const char *const devices[] = {"null", "zero", "full", "random", "urandom", "tty"};
    char from[32], to[32];

    must(mount("dev", "dev", "tmpfs", MS_NOSUID, "mode=755") == 0, "mount /dev");
    for (size_t i = 0; i < sizeof devices / sizeof *devices; i++) {
        snprintf(from, sizeof from, "/dev/%s", devices[i]);
        snprintf(to, sizeof to, "dev/%s", devices[i]);
        int fd = open(to, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
        must(fd >= 0 && close(fd) == 0 && mount(from, to, NULL, MS_BIND, NULL) == 0, from);
    }
    must(mkdir("dev/pts", 0755) == 0 && mkdir("dev/shm", 01777) == 0, "make /dev");
    must(mount("devpts", "dev/pts", "devpts", MS_NOSUID | MS_NOEXEC,
               "newinstance,ptmxmode=0666,mode=620,gid=5") == 0,
         "mount /dev/pts");
    must(symlink("pts/ptmx", "dev/ptmx") == 0 && symlink("/proc/self/fd", "dev/fd") == 0 &&
             symlink("null", "dev/console") == 0,
         "make links in /dev");
}

// The kernel's own variables are the host's, but for the network's, which are the node's.
static void mount_kernel(const struct boot *boot)
{
    must(mount("proc", "proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) == 0, "mount /proc");
    must(mount("proc/sys/net", "proc/sys/net", NULL, MS_BIND, NULL) == 0 &&
             mount("proc/sys", "proc/sys", NULL, MS_BIND | MS_REC, NULL) == 0 &&
             mount(NULL, "proc/sys", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL) == 0 &&
             mount(boot->boot_id, "proc/sys/kernel/random/boot_id", NULL, MS_BIND, NULL) == 0,
         "make /proc/sys the container's");
    must(mount("/dev/null", "proc/sysrq-trigger", NULL, MS_BIND, NULL) == 0 || errno == ENOENT,
         "hide /proc/sysrq-trigger");
    must(mount("sysfs", "sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RDONLY, NULL) == 0,
         "mount /sys");
    must(mount("cgroup2", "sys/fs/cgroup", "cgroup2", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) == 0,
         "mount /sys/fs/cgroup");
}

static void enter_tree(const struct boot *boot)
{
    must(chdir(boot->root) == 0, "go to the tree");
    mount_kernel(boot);
    mount_devices();
    must(mount("run", "run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=755") == 0, "mount /run");
    must(mount("tmp", "tmp", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777") == 0, "mount /tmp");
    must(syscall(SYS_pivot_root, ".", ".") == 0 && umount2(".", MNT_DETACH) == 0 && chdir("/") == 0,
         "make the tree the root");
    // What is mounted later is so for services that run already, as on a host.
    must(mount(NULL, "/", NULL, MS_REC | MS_SHARED, NULL) == 0, "share the mounts");
}

// What a container has no business with: the host's clock, modules, ports and kernel log.
static void drop_capabilities(void)
{
    static const int dropped[] = {CAP_SYS_TIME, CAP_SYS_MODULE, CAP_SYS_RAWIO, CAP_SYSLOG};

    for (size_t i = 0; i < sizeof dropped / sizeof *dropped; i++) {
        must(prctl(PR_CAPBSET_DROP, dropped[i], 0, 0, 0) == 0 || errno == EINVAL,
             "drop a capability");
    }
}

static void enter_group(const struct boot *boot)
{
    char path[LAB_PATH_MAX + 16];

    snprintf(path, sizeof path, "%s/cgroup.procs", boot->group);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    must(fd >= 0 && write(fd, "0", 1) == 1 && close(fd) == 0, "enter the control group");
    must(unshare(CLONE_NEWCGROUP) == 0, "make a namespace of control groups");
}

static _Noreturn void be_systemd(const struct boot *boot)
{
    static char *const argv[] = {SYSTEMD, "--system", "--log-target=journal", NULL};
    static char *const environment[] = {
        "container=lab", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", NULL};
    sigset_t none;
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    int console = open(boot->console, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);

    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    dup2(null, STDIN_FILENO);
    dup2(console, STDOUT_FILENO);
    dup2(console, STDERR_FILENO);
    must(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0, "ask to die with the parent");
    lab_enter(boot->node);
    enter_group(boot);
    enter_tree(boot);
    drop_capabilities();
    (void)!sethostname("pop", 3);
    setsid();
    umask(022);
    execve(SYSTEMD, argv, environment);
    must(false, "run " SYSTEMD);
    _exit(127);
}

// ---- Life

static void new_boot_id(const struct boot *boot)
{
    char id[64] = "";
    int fd = open("/proc/sys/kernel/random/uuid", O_RDONLY | O_CLOEXEC);

    (void)!read(fd, id, sizeof id - 1);
    close(fd);
    lab_write(boot->node, "boot_id", id);
}

static bool is_up(const struct boot *boot)
{
    char output[64] = "";

    if (waitpid(boot->pid, NULL, WNOHANG) != 0) {
        lab_fail("boot a systemd in node %s: it ended; see its console.log", lab_name(boot->node));
    }
    (void)boot_run(boot, LAB_ARGV("systemctl", "is-system-running"), output, sizeof output);
    return strncmp(output, "running", 7) == 0 || strncmp(output, "degraded", 8) == 0;
}

// From outside of its PIDs: systemd's last act waits for word of everybody's end, and has it only
// of its children's.
static void follow_journal(struct boot *boot)
{
    char pid[16];

    snprintf(pid, sizeof pid, "%d", (int)boot->pid);
    struct lab_command command = {
        .name = "journal",
        .argv = LAB_ARGV("nsenter", "-t", pid, "-m", "journalctl", "--no-tail", "-f", "-o",
                         "short-precise", "--no-hostname"),
    };
    boot->journal = lab_spawn(boot->node, &command);
}

void boot_start(struct boot *boot)
{
    new_boot_id(boot);
    fflush(NULL);
    boot->pid = (pid_t)syscall(
        SYS_clone, CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC | SIGCHLD, 0, 0, 0, 0);
    if (boot->pid == 0) {
        be_systemd(boot);
    }
    if (boot->pid < 0) {
        boot->pid = 0;
        lab_fail("make namespaces for a systemd: %s", strerror(errno));
    }
    LAB_WAIT(is_up(boot), "systemd to have started everything", BOOT_MS);
    follow_journal(boot);
}

void boot_reboot(struct boot *boot)
{
    (void)BOOT_RUN(boot, "systemctl", "reboot");
    wait_till_ended(boot);
    boot_start(boot);
}

// ---- Looking

#define RUN_WORDS_MAX 32

int boot_run(const struct boot *boot, const char *const words[], char *output, size_t size)
{
    char pid[16];
    const char *argv[RUN_WORDS_MAX] = {"nsenter",
                                       "-t",
                                       pid,
                                       "-m",
                                       "-p",
                                       "-u",
                                       "-i",
                                       "-n",
                                       "env",
                                       "-i",
                                       "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
                                       "LC_ALL=C.UTF-8"};
    size_t argc = 12;

    snprintf(pid, sizeof pid, "%d", (int)boot->pid);
    for (; *words != NULL; words++) {
        if (argc + 1 >= RUN_WORDS_MAX) {
            lab_fail("run %s: too many words", argv[12]);
        }
        argv[argc++] = *words;
    }
    return lab_run(boot->node, argv, output, size);
}

const char *boot_shows(const struct boot *boot, const char *unit, const char *property)
{
    static char value[4096];

    value[0] = '\0';
    (void)boot_run(boot, LAB_ARGV("systemctl", "show", "--value", "-p", property, unit), value,
                   sizeof value);
    value[strcspn(value, "\n")] = '\0';
    return value;
}
