// Does not link twice: the function is not inline.
#pragma once
int not_inline() { return 0; }
