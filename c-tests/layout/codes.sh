#!/bin/sh
# codes.sh INCLUDE: names and texts say in plain words what holds. No file of the project refers to a row of a list that
# is not here, by a letter and a number.
cd "$1/.." || exit 2
! grep -rnIE --exclude-dir=.git --exclude-dir=target --exclude-dir=build --exclude-dir=vendor --exclude-dir=corpus \
    --exclude='*.lock' --exclude='*.svg' \
    '(^|[^[:alnum:]])([DKMQT][1-9][0-9]?|[dkmqt][1-9][0-9]?_[[:alpha:]_]+|[Ss]3_[0-9]+|(RULE|rule) ?[0-9]+)($|[^[:alnum:]-])' .
