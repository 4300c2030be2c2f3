#ifndef REFORMER_VERSION_H
#define REFORMER_VERSION_H

#define RF_VERSION "0.1.0" /* as in CMakeLists.txt; a test compares them */

#endif
