//go:build linux || darwin

package main

import "syscall"

// freeSpace returns how many bytes of the disk that holds a directory this user may
// still write.
func freeSpace(dir string) (uint64, error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return 0, err
	}
	return spaceOf(s.Bavail, uint64(s.Bsize)), nil
}
