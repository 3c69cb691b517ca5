package main

import "syscall"

// freeSpace returns how many bytes of the disk that holds a directory this user may
// still write. The count is negative when only the reserve of root is left.
func freeSpace(dir string) (uint64, error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return 0, err
	}
	return spaceOf(uint64(max(s.Bavail, 0)), s.Bsize), nil
}
