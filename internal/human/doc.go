// Package human writes numbers for people to read, alike in p2pctl and on the web pages.
package human
