// A disk that hangs: see disk.h.
#include "tests/lab/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <unistd.h>

static const char make_file_system[] = "truncate -s 8M \"$0\" && mkfs.ext4 -q \"$0\" && "
                                       "mount -o loop \"$0\" \"$1\" && chmod 777 \"$1\"";

static void disk_unmount(void *arg)
{
    struct lab_disk *disk = arg;

    umount2(disk->directory, MNT_DETACH);
}

bool lab_disk_mount(struct lab_node *node, const char *directory, struct lab_disk *out)
{
    char image[LAB_PATH_MAX];

    lab_path(node, directory, out->directory);
    lab_path(node, "disk.img", image);
    if (lab_run(node, LAB_ARGV("sh", "-c", make_file_system, image, out->directory), NULL, 0) !=
        0) {
        return false;
    }
    lab_at_clear(disk_unmount, out);
    return true;
}

// 0, or -1 with errno.
static int freeze(const struct lab_disk *disk, bool frozen)
{
    int fd = open(disk->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int result = fd >= 0 ? ioctl(fd, frozen ? FIFREEZE : FITHAW, 0) : -1;

    if (fd >= 0) {
        close(fd);
    }
    return result;
}

static void thaw(void *arg)
{
    (void)freeze(arg, false);
}

void lab_disk_thaw_at_clear(struct lab_disk *disk)
{
    lab_at_clear(thaw, disk);
}

bool lab_disk_freeze(const struct lab_disk *disk)
{
    return freeze(disk, true) == 0;
}

void lab_disk_thaw(const struct lab_disk *disk)
{
    if (freeze(disk, false) != 0) {
        lab_fail("thaw %s: %s", disk->directory, strerror(errno));
    }
}
