"""System calls that no role may make, in groups, with the reason for each group.

`seccomp.py` is a list of what is allowed, so nothing here is needed to deny a call. It is what
tests hold that list to, and what the doctor tries from inside a container, in each ABI. A call
that is refused by its arguments alone is in `REFUSED`.

Numbers: `asm/unistd_64.h`, `asm/unistd_32.h` and `asm-generic/unistd.h` of Linux 6.
"""

from dataclasses import dataclass

ABIS = ("x86-64", "i386", "arm64")


@dataclass(frozen=True)
class Group:
    """Calls that are denied for one reason."""

    why: str
    table: str
    """A line a call: its name and its number in each of `ABIS`, `-` where it has none."""

    def names(self) -> list[str]:
        """The calls, in the table's order."""
        return [line.split()[0] for line in self.table.strip().splitlines()]

    def numbers(self, abi: str) -> dict[str, int]:
        """Name and number of the calls that this ABI has."""
        column = 1 + ABIS.index(abi)
        rows = [line.split() for line in self.table.strip().splitlines()]
        return {row[0]: int(row[column]) for row in rows if row[column] != "-"}


DENIED: dict[str, Group] = {
    "another process": Group(
        "They read, stop or change another process, the timer above all.",
        """
        ptrace                   101   26  117
        process_vm_readv         310  347  270
        process_vm_writev        311  348  271
        pidfd_getfd              438  438  438
        kcmp                     312  349  272
        process_madvise          440  440  440
        process_mrelease         448  448  448
        """,
    ),
    "keys": Group(
        "A key ring outlives the container.",
        """
        add_key                  248  286  217
        request_key              249  287  218
        keyctl                   250  288  219
        """,
    ),
    "rings": Group(
        "They pass by these very rules, and io_submit can ask whether a page is in the cache.",
        """
        io_uring_setup           425  425  425
        io_uring_enter           426  426  426
        io_uring_register        427  427  427
        io_setup                 206  245    0
        io_submit                209  248    2
        io_getevents             208  247    4
        io_pgetevents            333  385  292
        io_cancel                210  249    3
        io_destroy               207  246    1
        """,
    ),
    "kernel surface": Group(
        "Parts of the kernel that have had holes, and that training does not need.",
        """
        bpf                      321  357  280
        perf_event_open          298  336  241
        userfaultfd              323  374  282
        modify_ldt               154  123    -
        remap_file_pages         216  257  234
        memfd_secret             447  447  447
        lookup_dcookie           212  253   18
        nfsservctl               180  169   42
        uselib                   134   86    -
        sysfs                    139  135    -
        _sysctl                  156  149    -
        ustat                    136   62    -
        vm86                       -  166    -
        vm86old                    -  113    -
        """,
    ),
    "namespaces": Group(
        "The way out: other roots, other mounts, files by handle.",
        """
        unshare                  272  310   97
        setns                    308  346  268
        mount                    165   21   40
        umount                     -   22    -
        umount2                  166   52   39
        pivot_root               155  217   41
        chroot                   161   61   51
        move_mount               429  429  429
        open_tree                428  428  428
        open_tree_attr           467  467  467
        fsopen                   430  430  430
        fsconfig                 431  431  431
        fsmount                  432  432  432
        fspick                   433  433  433
        mount_setattr            442  442  442
        statmount                457  457  457
        listmount                458  458  458
        name_to_handle_at        303  341  264
        open_by_handle_at        304  342  265
        """,
    ),
    "page cache": Group(
        "They bring pages in, throw them out or tell which are there: notes for a later container.",
        """
        fadvise64                221  250  223
        fadvise64_64               -  272    -
        readahead                187  225  213
        mincore                   27  218  232
        cachestat                451  451  451
        preadv2                  327  378  286
        """,
    ),
    "watching": Group(
        "They tell who uses a shared file, and when.",
        """
        inotify_init             253  291    -
        inotify_init1            294  332   26
        inotify_add_watch        254  292   27
        inotify_rm_watch         255  293   28
        fanotify_init            300  338  262
        fanotify_mark            301  339  263
        """,
    ),
    "memory policies": Group(
        "The kernel keeps them with a file that is read-only.",
        """
        mbind                    237  274  235
        get_mempolicy            239  275  236
        set_mempolicy            238  276  237
        set_mempolicy_home_node  450  450  450
        migrate_pages            256  294  238
        move_pages               279  317  239
        """,
    ),
    "attributes": Group(
        "Values that stay with a file.",
        """
        setxattr                 188  226    5
        lsetxattr                189  227    6
        fsetxattr                190  228    7
        setxattrat               463  463  463
        removexattr              197  235   14
        lremovexattr             198  236   15
        fremovexattr             199  237   16
        removexattrat            466  466  466
        file_setattr             469  469  469
        """,
    ),
    "stores": Group(
        "SysV memory, semaphores and queues, POSIX queues: stores that no size limits.",
        """
        shmget                    29  395  194
        shmat                     30  397  196
        shmctl                    31  396  195
        shmdt                     67  398  197
        semget                    64  393  190
        semop                     65    -  193
        semctl                    66  394  191
        semtimedop               220    -  192
        semtimedop_time64          -  420  420
        msgget                    68  399  186
        msgsnd                    69  400  189
        msgrcv                    70  401  188
        msgctl                    71  402  187
        ipc                        -  117    -
        mq_open                  240  277  180
        mq_unlink                241  278  181
        mq_timedsend             242  279  182
        mq_timedreceive          243  280  183
        mq_notify                244  281  184
        mq_getsetattr            245  282  185
        """,
    ),
    "host": Group(
        "Clock, names, modules, swap, quotas and power of the host.",
        """
        reboot                   169   88  142
        kexec_load               246  283  104
        kexec_file_load          320    -  294
        init_module              175  128  105
        finit_module             313  350  273
        delete_module            176  129  106
        swapon                   167   87  224
        swapoff                  168  115  225
        settimeofday             164   79  170
        clock_settime            227  264  112
        clock_settime64            -  404  404
        clock_adjtime            305  343  266
        clock_adjtime64            -  405  405
        adjtimex                 159  124  171
        stime                      -   25    -
        sethostname              170   74  161
        setdomainname            171  121  162
        syslog                   103  103  116
        acct                     163   51   89
        quotactl                 179  131   60
        quotactl_fd              443  443  443
        iopl                     172  110    -
        ioperm                   173  101    -
        vhangup                  153  111   58
        """,
    ),
}
"""Denied to every role."""

BY_ARGUMENT = Group(
    "Not for everyone, or not with every argument.",
    """
        flock                     73  143   32
        fcntl                     72   55   25
        madvise                   28  219  233
        ioctl                     16   54   29
        personality              135  136   92
        clone3                   435  435  435
        """,
)

REFUSED: dict[str, tuple[str, tuple[int, ...]]] = {
    "F_NOTIFY": ("fcntl", (-1, 1026)),
    "F_SETLEASE": ("fcntl", (-1, 1024)),
    "F_SET_RW_HINT": ("fcntl", (-1, 1036)),
    "MADV_RANDOM": ("madvise", (1, 0, 1)),
    "MADV_WILLNEED": ("madvise", (1, 0, 3)),
    "MADV_MERGEABLE": ("madvise", (1, 0, 12)),
    "MADV_COLD": ("madvise", (1, 0, 20)),
    "MADV_PAGEOUT": ("madvise", (1, 0, 21)),
    "MADV_POPULATE_READ": ("madvise", (1, 0, 22)),
    "MADV_COLLAPSE": ("madvise", (1, 0, 25)),
    # The kernel looks at the lower half of such an argument, a filter at all of it.
    "MADV_COLLAPSE in the lower half": ("madvise", (1, 0, 25 | 1 << 32)),
    "F_NOTIFY in the lower half": ("fcntl", (-1, 1026 | 1 << 32)),
    "EXT4_IOC_PRECACHE_EXTENTS": ("ioctl", (-1, 0x6612)),
    "EXT4_IOC_GETSTATE": ("ioctl", (-1, 0x40046629)),
    "TIOCSTI": ("ioctl", (-1, 0x5412)),
    "ADDR_NO_RANDOMIZE": ("personality", (0x0040000,)),
    "clone3": ("clone3", (0, 0)),
}
"""What to call a denial, the call, and arguments that it is refused for.

Where a call is not refused it complains of the other arguments, or changes the caller alone.
"""

REFUSED_LOCKS: dict[str, tuple[str, tuple[int, ...]]] = {
    "flock": ("flock", (-1, 1)),
    "F_GETLK": ("fcntl", (-1, 5)),
    "F_SETLK": ("fcntl", (-1, 6)),
    "F_SETLKW": ("fcntl", (-1, 7)),
    "F_OFD_GETLK": ("fcntl", (-1, 36)),
    "F_OFD_SETLK": ("fcntl", (-1, 37)),
    "F_OFD_SETLKW": ("fcntl", (-1, 38)),
}
"""The same for predictors: a lock on a file is seen by whoever shares it, 13 bytes a call."""


def attempts(*, locks: bool) -> dict[str, list[tuple[str, int, tuple[int, ...]]]]:
    """What must be refused, by ABI: a name, a number, arguments; `locks` may be used or not."""
    refused = REFUSED if locks else REFUSED | REFUSED_LOCKS
    senseless = (-1,) * 6
    found: dict[str, list[tuple[str, int, tuple[int, ...]]]] = {}
    for abi in ABIS:
        found[abi] = [
            (name, number, senseless)
            for group in DENIED.values()
            for name, number in group.numbers(abi).items()
        ]
        by_argument = BY_ARGUMENT.numbers(abi)
        found[abi] += [
            (name, by_argument[call], arguments) for name, (call, arguments) in refused.items()
        ]
    return found
