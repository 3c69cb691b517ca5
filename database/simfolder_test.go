package database

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/syndtr/goleveldb/leveldb/storage"
)

// simFolder is an open folder of a simDisk. It does to its disk what goleveldb's
// own storage does, operation by operation.
type simFolder struct {
	disk     *simDisk
	inode    *inode
	readOnly bool
}

type simLock struct{}

func (simLock) Unlock() {}

func (f *simFolder) Lock() (storage.Locker, error) { return simLock{}, nil }
func (f *simFolder) Log(string)                    {}
func (f *simFolder) Close() error                  { return nil }

func (f *simFolder) lookup(name string) *inode {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	return f.inode.entries[name]
}

// create makes an empty file, or empties the one that is there.
func (f *simFolder) create(name string) (*simFile, error) {
	if f.readOnly {
		return nil, errors.New("read-only")
	}
	if err := f.disk.trouble(); err != nil {
		return nil, err
	}
	defer f.disk.step(false)()
	n := f.inode.entries[name]
	if n == nil {
		n = new(inode)
		f.inode.change(entryChange{add: name, inode: n})
	}
	n.data = nil
	return &simFile{disk: f.disk, inode: n}, nil
}

func (f *simFolder) rename(from, to string) error {
	defer f.disk.step(false)()
	n := f.inode.entries[from]
	if n == nil {
		return notThere(from)
	}
	f.inode.change(entryChange{remove: from, add: to, inode: n})
	return nil
}

func (f *simFolder) remove(name string) error {
	defer f.disk.step(false)()
	if f.inode.entries[name] == nil {
		return notThere(name)
	}
	f.inode.change(entryChange{remove: name})
	return nil
}

func (f *simFolder) sync() error {
	f.disk.syncFolder(f.inode)
	return nil
}

func (f *simFolder) Create(fd storage.FileDesc) (storage.Writer, error) {
	file, err := f.create(fd.String())
	if err != nil {
		return nil, err
	}
	if fd.Type == storage.TypeManifest {
		return simManifest{file, f}, nil
	}
	return file, nil
}

func (f *simFolder) Open(fd storage.FileDesc) (storage.Reader, error) {
	n := f.lookup(fd.String())
	if n == nil {
		return nil, notThere(fd.String())
	}
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	return tableFile{bytes.NewReader(n.data)}, nil
}

func (f *simFolder) Remove(fd storage.FileDesc) error { return f.remove(fd.String()) }
func (f *simFolder) Rename(oldfd, newfd storage.FileDesc) error {
	return f.rename(oldfd.String(), newfd.String())
}

func parseName(name string) (fd storage.FileDesc, ok bool) {
	number, suffix, _ := strings.Cut(name, ".")
	switch suffix {
	case "log":
		fd.Type = storage.TypeJournal
	case "ldb":
		fd.Type = storage.TypeTable
	case "tmp":
		fd.Type = storage.TypeTemp
	case "":
		fd.Type = storage.TypeManifest
		if number, ok = strings.CutPrefix(name, "MANIFEST-"); !ok {
			return fd, false
		}
	default:
		return fd, false
	}
	n, err := strconv.ParseInt(number, 10, 64)
	fd.Num = n
	return fd, err == nil
}

func (f *simFolder) List(types storage.FileType) (list []storage.FileDesc, err error) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	for name := range f.inode.entries {
		if fd, ok := parseName(name); ok && fd.Type&types != 0 {
			list = append(list, fd)
		}
	}
	return list, nil
}

// SetMeta keeps the old CURRENT as CURRENT.bak, writes the new one beside it and
// renames it.
func (f *simFolder) SetMeta(fd storage.FileDesc) error {
	content := fd.String() + "\n"
	writeSynced := func(name string, b []byte) error {
		file, err := f.create(name)
		if err != nil {
			return err
		}
		_, err = file.Write(b)
		return errors.Join(err, file.Sync())
	}
	if n := f.lookup("CURRENT"); n != nil {
		if string(n.data) == content {
			return nil
		}
		if err := writeSynced("CURRENT.bak", n.data); err != nil {
			return err
		}
	}
	temp := fmt.Sprintf("CURRENT.%d", fd.Num)
	return errors.Join(writeSynced(temp, []byte(content)), f.rename(temp, "CURRENT"), f.sync())
}

// GetMeta takes the newest of CURRENT and those that were about to be renamed, or
// CURRENT.bak, of which the manifest is there, and puts it right.
func (f *simFolder) GetMeta() (best storage.FileDesc, err error) {
	target := func(name string) (storage.FileDesc, bool) {
		n := f.lookup(name)
		if n == nil {
			return storage.FileDesc{}, false
		}
		fd, ok := parseName(strings.TrimSuffix(string(n.data), "\n"))
		return fd, ok && bytes.HasSuffix(n.data, []byte("\n")) && f.lookup(fd.String()) != nil
	}
	found := ""
	for _, name := range []string{"CURRENT", "CURRENT.bak"} {
		if fd, ok := target(name); ok && found == "" {
			best, found = fd, name
		}
	}
	pending := f.pendingMeta()
	for _, name := range pending {
		if fd, ok := target(name); ok && (found == "" || fd.Num > best.Num) {
			best, found = fd, name
		}
	}
	if found == "" {
		return best, notThere("CURRENT")
	}
	if !f.readOnly && (found != "CURRENT" || len(pending) > 0) {
		if err := f.SetMeta(best); err == nil {
			for _, name := range pending {
				_ = f.remove(name)
			}
		}
	}
	return best, nil
}

func (f *simFolder) pendingMeta() (names []string) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	for name := range f.inode.entries {
		if strings.HasPrefix(name, "CURRENT.") && name != "CURRENT.bak" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func (f *simFolder) readMark() ([]byte, error) {
	n := f.lookup(markName)
	if n == nil {
		return nil, notThere(markName)
	}
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	return n.data, nil
}

func (f *simFolder) openMark() (markFile, error) {
	if n := f.lookup(markName); n != nil {
		return &simFile{disk: f.disk, inode: n}, nil
	}
	return f.create(markName)
}

// simFile is a file of a simDisk that is open for writing.
type simFile struct {
	disk  *simDisk
	inode *inode
}

func (w *simFile) Write(b []byte) (int, error) {
	if err := w.disk.trouble(); err != nil {
		return 0, err
	}
	defer w.disk.step(false)()
	w.inode.data = append(w.inode.data, b...)
	return len(b), nil
}

func (w *simFile) WriteAt(b []byte, at int64) (int, error) {
	if err := w.disk.trouble(); err != nil {
		return 0, err
	}
	defer w.disk.step(false)()
	data := slices.Clone(w.inode.data)
	if short := int(at) + len(b) - len(data); short > 0 {
		data = append(data, make([]byte, short)...)
	}
	copy(data[at:], b)
	w.inode.data = data
	return len(b), nil
}

func (w *simFile) Truncate(size int64) error {
	defer w.disk.step(false)()
	w.inode.data = w.inode.data[:min(int(size), len(w.inode.data)):min(int(size), len(w.inode.data))]
	return nil
}

func (w *simFile) Sync() error {
	if err := w.disk.trouble(); err != nil {
		return err
	}
	defer w.disk.step(true)()
	w.inode.synced = slices.Clip(w.inode.data)
	return nil
}

func (w *simFile) Close() error { return nil }

// simManifest syncs its folder with itself.
type simManifest struct {
	*simFile
	folder *simFolder
}

func (w simManifest) Sync() error { return errors.Join(w.simFile.Sync(), w.folder.sync()) }
