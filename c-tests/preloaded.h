/* Included before a test that is linked with libowfat 0.32 and run with this library preloaded: what 0.32 has not. */
#pragma weak io_queueforread
#pragma weak io_queueforwrite
#pragma weak io_starteventloopthread
#pragma weak iom_requeue
#pragma weak iob_init
#pragma weak iob_init_autofree
#pragma weak iob_new_autofree
#pragma weak iob_write2
